/** Plain Token-2022 instructions, as a holder's wallet would send them. */
import { PublicKey, TransactionInstruction } from '@solana/web3.js';
import { type Address, addressBytes, TOKEN_2022_PROGRAM } from '../../../../programs-client/addresses.ts';

type Meta = [address: Address, flags?: 's' | 'w' | 'sw'];

function tokenInstruction(metas: Meta[], data: number[]): TransactionInstruction {
  const keys = metas.map(([address, flags = '']) => ({
    pubkey: new PublicKey(address),
    isSigner: flags.includes('s'),
    isWritable: flags.includes('w'),
  }));
  return new TransactionInstruction({
    programId: new PublicKey(TOKEN_2022_PROGRAM),
    keys,
    data: Buffer.from(data),
  });
}

const ONE = [1, 0, 0, 0, 0, 0, 0, 0];

export const transfer = (from: Address, to: Address, owner: Address) =>
  tokenInstruction(
    [
      [from, 'w'],
      [to, 'w'],
      [owner, 's'],
    ],
    [3, ...ONE],
  );

export const transferChecked = (from: Address, mint: Address, to: Address, owner: Address) =>
  tokenInstruction([[from, 'w'], [mint], [to, 'w'], [owner, 's']], [12, ...ONE, 0]);

export const approve = (token: Address, delegate: Address, owner: Address) =>
  tokenInstruction([[token, 'w'], [delegate], [owner, 's']], [4, ...ONE]);

export const burn = (token: Address, mint: Address, owner: Address) =>
  tokenInstruction(
    [
      [token, 'w'],
      [mint, 'w'],
      [owner, 's'],
    ],
    [8, ...ONE],
  );

export const closeAccount = (account: Address, to: Address, owner: Address) =>
  tokenInstruction(
    [
      [account, 'w'],
      [to, 'w'],
      [owner, 's'],
    ],
    [9],
  );

export const thaw = (token: Address, mint: Address, authority: Address) =>
  tokenInstruction([[token, 'w'], [mint], [authority, 's']], [11]);

export const mintTo = (mint: Address, to: Address, authority: Address) =>
  tokenInstruction(
    [
      [mint, 'w'],
      [to, 'w'],
      [authority, 's'],
    ],
    [7, ...ONE],
  );

/** @param type 0 mint tokens, 1 freeze, 2 account owner, 3 close account */
export const setAuthority = (of: Address, type: number, to: Address, by: Address) =>
  tokenInstruction(
    [
      [of, 'w'],
      [by, 's'],
    ],
    [6, type, 1, ...addressBytes(to)],
  );

/** Gives a token account room for an extension: 8 required memos, 11 CPI guard. Its owner pays. */
const makeRoom = (extension: number, token: Address, owner: Address, system: Address) =>
  tokenInstruction([[token, 'w'], [owner, 'sw'], [system], [owner, 's']], [29, extension, 0]);

const byOwner = (token: Address, owner: Address, data: number[]) =>
  tokenInstruction(
    [
      [token, 'w'],
      [owner, 's'],
    ],
    data,
  );

/** Gives a token account room for a CPI guard and switches it on. */
export const guard = (token: Address, owner: Address, system: Address) => [
  makeRoom(11, token, owner, system),
  byOwner(token, owner, [34, 0]),
];

export const unguard = (token: Address, owner: Address) => byOwner(token, owner, [34, 1]);

/** Makes a token account refuse whatever comes in without a memo. */
export const requireMemos = (token: Address, owner: Address, system: Address) => [
  makeRoom(8, token, owner, system),
  byOwner(token, owner, [30, 0]),
];

/** Takes what a token account or mint has above its rent. */
export const withdrawExcess = (from: Address, to: Address, authority: Address) =>
  tokenInstruction(
    [
      [from, 'w'],
      [to, 'w'],
      [authority, 's'],
    ],
    [38],
  );

/** An account for a mint's tokens at a fresh address that the system program has just created. */
export const initializeAccount = (token: Address, mint: Address, owner: Address) =>
  tokenInstruction([[token, 'w'], [mint]], [18, ...addressBytes(owner)]);

/** Renames the NFT, as its metadata's update authority. */
export const rename = (mint: Address, authority: Address, name: string) =>
  tokenInstruction(
    [
      [mint, 'w'],
      [authority, 's'],
    ],
    [221, 233, 49, 45, 181, 202, 220, 200, 0, name.length, 0, 0, 0, ...Buffer.from(name)],
  );
