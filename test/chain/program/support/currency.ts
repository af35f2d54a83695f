import type { LiteSVM } from 'litesvm';
import {
  type Address,
  addressBytes,
  TOKEN_2022_PROGRAM,
  TOKEN_PROGRAM,
  toAddress,
} from '../../../../programs-client/addresses.ts';
import { associatedTokenAddress } from '../../../../programs-client/pdas.ts';
import { account, PROGRAM, putAccount } from './chain.ts';

/** A stable-coin with six decimals, as the classic token program has it. */
export const COIN = toAddress(new Uint8Array(32).fill(0xc0));

/** Puts the coin's mint on the chain. */
export function putCoin(svm: LiteSVM, mint: Address = COIN, tokenProgram: Address = TOKEN_PROGRAM): void {
  const data = new Uint8Array(82);
  new DataView(data.buffer).setBigUint64(36, 10n ** 15n, true);
  data[44] = 6;
  data[45] = 1;
  putAccount(svm, mint, { lamports: 1_461_600n, owner: tokenProgram, data });
}

/** Gives somebody an associated token account with that many coins. */
export function giveCoins(
  svm: LiteSVM,
  owner: Address,
  amount: bigint,
  mint: Address = COIN,
  tokenProgram: Address = TOKEN_PROGRAM,
): Address {
  const address = associatedTokenAddress(mint, owner, tokenProgram);
  // Coins with fees or hooks have an extension in each account too. Other accounts keep what they were created with.
  const there = account(svm, address)?.data ?? new Uint8Array(165);
  const extension = EXTENSIONS[mint];
  const data = extension ? new Uint8Array(170 + extension.bytes) : there;
  if (extension) data.set([2, extension.type, 0, extension.bytes, 0], 165);
  data.set(addressBytes(mint), 0);
  data.set(addressBytes(owner), 32);
  new DataView(data.buffer).setBigUint64(64, amount, true);
  data[108] = 1;
  putAccount(svm, address, { lamports: 2_039_280n, owner: tokenProgram, data });
  return address;
}

export function coinsOf(svm: LiteSVM, owner: Address, mint = COIN, tokenProgram = TOKEN_PROGRAM): bigint {
  const found = account(svm, associatedTokenAddress(mint, owner, tokenProgram));
  if (found === undefined) return 0n;
  return new DataView(found.data.buffer, found.data.byteOffset).getBigUint64(64, true);
}

/** A Token-2022 coin whose transfers cost a tenth, which the receiver does not get. */
export const FEE_COIN = toAddress(new Uint8Array(32).fill(0xfe));

export function putFeeCoin(svm: LiteSVM): void {
  const data = new Uint8Array(166 + 4 + 108);
  const view = new DataView(data.buffer);
  view.setBigUint64(36, 10n ** 15n, true);
  data[44] = 6;
  data[45] = 1;
  data[165] = 1;
  // TransferFeeConfig: two authorities, withheld amount, then twice epoch, maximum fee and basis points.
  view.setUint16(166, 1, true);
  view.setUint16(168, 108, true);
  for (const at of [170 + 72, 170 + 90]) {
    view.setBigUint64(at + 8, 2n ** 64n - 1n, true);
    view.setUint16(at + 16, 1000, true);
  }
  putAccount(svm, FEE_COIN, { lamports: 10n ** 9n, owner: TOKEN_2022_PROGRAM, data });
}

/** A Token-2022 coin whose transfers call another program, which here is the ticketing program. */
export const HOOK_COIN = toAddress(new Uint8Array(32).fill(0xf0));

export function putHookCoin(svm: LiteSVM): void {
  const data = new Uint8Array(166 + 4 + 64);
  const view = new DataView(data.buffer);
  view.setBigUint64(36, 10n ** 15n, true);
  data[44] = 6;
  data[45] = 1;
  data[165] = 1;
  // TransferHook: authority, then program.
  view.setUint16(166, 14, true);
  view.setUint16(168, 64, true);
  data.set(addressBytes(PROGRAM), 170 + 32);
  putAccount(svm, HOOK_COIN, { lamports: 10n ** 9n, owner: TOKEN_2022_PROGRAM, data });
}

/** Of an account that holds the coin. */
const EXTENSIONS: { [coin: Address]: { type: number; bytes: number } } = {
  [FEE_COIN]: { type: 2, bytes: 8 },
  [HOOK_COIN]: { type: 15, bytes: 1 },
};
