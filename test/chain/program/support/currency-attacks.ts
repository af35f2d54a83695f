/** Attacks with currencies that are not what they seem, or do more than move. */
import { PublicKey, TransactionInstruction } from '@solana/web3.js';
import type { LiteSVM } from 'litesvm';
import {
  type Address,
  addressBytes,
  SYSTEM_PROGRAM,
  TOKEN_2022_PROGRAM,
  TOKEN_PROGRAM,
  toAddress,
} from '../../../../programs-client/addresses.ts';
import { createEvent } from '../../../../programs-client/instructions/create-event.ts';
import { resell } from '../../../../programs-client/instructions/resell.ts';
import { associatedTokenAddress } from '../../../../programs-client/pdas.ts';
import { actor } from './actors.ts';
import { account, PROGRAM, putAccount } from './chain.ts';
import { COIN, FEE_COIN, giveCoins, HOOK_COIN, putCoin, putFeeCoin, putHookCoin } from './currency.ts';
import { type Scenario, sale } from './scenarios.ts';
import { byAcme, edit, type SpecialAttack } from './special-attacks.ts';
import { requireMemos } from './token-instructions.ts';
import { FACE_VALUE, id16, makeEvent, mint, must, newWorld, people } from './world.ts';

const { acme, alice, bob, gate, payer, royalties, treasury, vault } = people;

/** What is no mint, by what it is; each puts it on the chain. */
const IMPOSTORS: { [what: string]: (svm: LiteSVM, address: Address) => void } = {
  'a token account': (svm, address) => {
    putCoin(svm);
    const held = giveCoins(svm, alice.address, 1n);
    putAccount(svm, address, account(svm, held) as NonNullable<ReturnType<typeof account>>);
  },
  'a Token-2022 account': (svm, address) => {
    const data = new Uint8Array(166);
    [data[45], data[108], data[165]] = [1, 1, 2];
    putAccount(svm, address, { lamports: 3_000_000n, owner: TOKEN_2022_PROGRAM, data });
  },
  'a multisig whose signers make it look like a mint': putDisguisedMultisig,
  'a mint that is not initialized': (svm, address) => {
    putCoin(svm, address);
    edit(svm, address, (data) => data.fill(0, 45, 46));
  },
  'a mint with extensions, of the classic program': (svm, address) => {
    const data = new Uint8Array(170);
    [data[45], data[165]] = [1, 1];
    putAccount(svm, address, { lamports: 3_000_000n, owner: TOKEN_PROGRAM, data });
  },
  'the bytes of a mint that no token program owns': (svm, address) => putCoin(svm, address, SYSTEM_PROGRAM),
  'a wallet': () => {},
};

export function currencyAttacks(): SpecialAttack[] {
  return [...impostors(), ...badCoins(), ...otherCoins()];
}

/** A resale paid in something else than the event names, everything about it in order but that. */
function otherCoins(): SpecialAttack[] {
  const worthless = actor('a coin that anybody can mint').address;
  const refuse = (
    on: string,
    named: Address | undefined,
    paid: { mint: Address; tokenProgram?: Address } | undefined,
  ) => ({
    instruction: 'resell',
    class: 'hostile currency',
    on,
    make: (): Scenario => {
      const svm = newWorld();
      putCoin(svm);
      putCoin(svm, worthless);
      const event = makeEvent(svm, 6, { currencyMint: named });
      mint(svm, event, 0, alice);
      for (const { address } of [alice, bob, royalties, treasury]) {
        giveCoins(svm, address, 2n * FACE_VALUE);
        giveCoins(svm, address, 2n * FACE_VALUE, worthless);
      }
      const instruction = resell(PROGRAM, { ...sale, event, currency: paid });
      return { svm, instruction, signers: [payer, alice, bob] };
    },
    error: 'BadAccount',
  });
  return [
    refuse('a worthless coin in place of the one named', COIN, { mint: worthless }),
    refuse('a worthless coin in place of SOL', undefined, { mint: worthless }),
    refuse('SOL in place of the coin named', COIN, undefined),
    refuse('the other token program', COIN, { mint: COIN, tokenProgram: TOKEN_2022_PROGRAM }),
  ];
}

function impostors(): SpecialAttack[] {
  return Object.entries(IMPOSTORS).map(([on, put]) => ({
    instruction: 'create_event',
    class: 'hostile currency',
    on,
    make: () => {
      const svm = newWorld();
      const currencyMint = actor(`in place of a currency: ${on}`).address;
      put(svm, currencyMint);
      const instruction = createEvent(PROGRAM, {
        ...byAcme,
        payer: payer.address,
        eventId: id16(7),
        gateAuthority: gate.address,
        rentRecipient: vault.address,
        maxSupply: 1,
        resaleCapBps: 0,
        transferPolicy: 'open',
        keepCollectible: false,
        currencyMint,
      });
      return { svm, instruction, signers: [payer, acme] };
    },
    error: 'BadAccount',
  }));
}

/** Initialized by Token-2022 itself: anybody may name any addresses as the signers of a multisig. */
function putDisguisedMultisig(svm: LiteSVM, address: Address): void {
  const named = Array.from({ length: 6 }, () => new Uint8Array(32).fill(7));
  // Bytes 45 and 165 of the account: where a mint says that it is initialized, and that it is a mint.
  named[1]?.fill(1, 10, 11);
  named[5]?.fill(1, 2, 3);
  putAccount(svm, address, { lamports: 10_000_000n, owner: TOKEN_2022_PROGRAM, data: new Uint8Array(355) });
  const keys = [address, RENT_SYSVAR, ...named.map(toAddress)].map((key, at) => ({
    pubkey: new PublicKey(key),
    isSigner: false,
    isWritable: at === 0,
  }));
  const programId = new PublicKey(TOKEN_2022_PROGRAM);
  must(svm, new TransactionInstruction({ programId, keys, data: Buffer.from([2, 1]) }));
  const data = account(svm, address)?.data;
  if (data?.[45] !== 1 || data[165] !== 1) throw new Error('the multisig does not look like a mint');
}

const RENT_SYSVAR = 'SysvarRent111111111111111111111111111111111' as Address;

/** Coins that event and purses really are in, and that resales must not be paid in. */
function badCoins(): SpecialAttack[] {
  const refuse = (
    on: string,
    error: string,
    coin: Address,
    tokenProgram: Address,
    put: (svm: LiteSVM) => void,
    spoil: (svm: LiteSVM) => void = () => {},
  ) => ({
    instruction: 'resell',
    class: 'hostile currency',
    on,
    make: (): Scenario => {
      const svm = newWorld();
      put(svm);
      const event = makeEvent(svm, 6, { currencyMint: coin });
      mint(svm, event, 0, alice);
      for (const { address } of [alice, bob, royalties, treasury]) {
        giveCoins(svm, address, 2n * FACE_VALUE, coin, tokenProgram);
      }
      spoil(svm);
      const instruction = resell(PROGRAM, { ...sale, event, currency: { mint: coin, tokenProgram } });
      return { svm, instruction, signers: [payer, alice, bob] };
    },
    error,
  });
  const putNewCoin = (svm: LiteSVM) => putCoin(svm, COIN, TOKEN_2022_PROGRAM);
  const purse = (owner: Address) => associatedTokenAddress(COIN, owner, TOKEN_PROGRAM);
  const newPurse = associatedTokenAddress(COIN, alice.address, TOKEN_2022_PROGRAM);
  return [
    refuse('takes a part of every transfer', 'PaymentShort', FEE_COIN, TOKEN_2022_PROGRAM, putFeeCoin),
    refuse('calls a program at every transfer', HOOK_MISSING, HOOK_COIN, TOKEN_2022_PROGRAM, putHookCoin),
    refuse('whose seller asks for memos', NO_MEMO, COIN, TOKEN_2022_PROGRAM, putNewCoin, (svm) => {
      for (const one of requireMemos(newPurse, alice.address, SYSTEM_PROGRAM)) must(svm, one, alice);
    }),
    refuse('that the buyer has too little of', INSUFFICIENT, COIN, TOKEN_PROGRAM, putCoin, (svm) =>
      giveCoins(svm, bob.address, FACE_VALUE - 1n),
    ),
    refuse("frozen in the buyer's purse", ACCOUNT_FROZEN, COIN, TOKEN_PROGRAM, putCoin, (svm) =>
      edit(svm, purse(bob.address), (data) => data.fill(2, 108, 109)),
    ),
    refuse(
      "in a purse of the buyer's address that is somebody else's",
      NOT_OWNER,
      COIN,
      TOKEN_PROGRAM,
      putCoin,
      (svm) => edit(svm, purse(bob.address), (data) => data.set(addressBytes(people.carol.address), 32)),
    ),
    refuse('whose mint is no longer one', 'BadAccount', COIN, TOKEN_PROGRAM, putCoin, (svm) =>
      putAccount(svm, COIN, { lamports: 1_461_600n, owner: SYSTEM_PROGRAM, data: new Uint8Array(82) }),
    ),
    refuse('that the treasury has no purse of', 'BadAccount', COIN, TOKEN_PROGRAM, putCoin, (svm) =>
      putAccount(svm, purse(treasury.address), {
        lamports: 0n,
        owner: SYSTEM_PROGRAM,
        data: new Uint8Array(),
      }),
    ),
  ];
}

/** Of the token programs. */
const INSUFFICIENT = 'custom error 1';
const NOT_OWNER = 'custom error 4';
const ACCOUNT_FROZEN = 'custom error 17';
const NO_MEMO = 'custom error 36';
const HOOK_MISSING = 'MissingAccount';
