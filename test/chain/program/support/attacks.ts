/** Attacks that follow from an instruction's declaration alone, as variations of an invocation that succeeds. */
import { PublicKey, TransactionInstruction } from '@solana/web3.js';
import type { LiteSVM } from 'litesvm';
import { type Address, TOKEN_PROGRAM, toAddress } from '../../../../programs-client/addresses.ts';
import * as pdas from '../../../../programs-client/pdas.ts';
import { instructionNamed } from '../../../../programs-client/wire.ts';
import { type Actor, actor } from './actors.ts';
import { type AccountData, account, PROGRAM, putAccount } from './chain.ts';
import type { Scenario } from './scenarios.ts';
import { people, RIVAL, RIVAL_SHOW } from './world.ts';

export type Attack = {
  class: string;
  /** Which account or length. */
  on: string;
  instruction: TransactionInstruction;
  signers: Actor[];
  /** The error expected where nothing else is said. */
  usual: string;
  /** What an account is to be for this attack only, at its own address. */
  spoiled?: { address: Address; as: AccountData };
};

type IdlAccount = {
  name: string;
  signer?: boolean;
  writable?: boolean;
  optional?: boolean;
  address?: string;
};
type Key = TransactionInstruction['keys'][number];

const { mallory } = people;
/** Where a second copy of the program could be deployed, by anybody. */
export const TWIN = actor('a second deployment').address;

export function attacksOn(name: string, scenario: Scenario): Attack[] {
  const accounts = instructionNamed(name).accounts as IdlAccount[];
  return [
    ...accounts.flatMap((one, at) => [
      ...signatureAttacks(one, at, scenario),
      ...flagAttacks(one, at, scenario),
    ]),
    ...accounts.flatMap((one, at) => [...substitutions(one, at, scenario), ...spoilings(one, at, scenario)]),
    ...duplicates(accounts, scenario),
    ...countAttacks(scenario),
    ...dataAttacks(scenario),
  ];
}

function signatureAttacks(one: IdlAccount, at: number, scenario: Scenario): Attack[] {
  if (!one.signer) return [];
  const usual = 'Unauthorized';
  const unsigned = vary(scenario, at, (key) => ({ ...key, isSigner: false }));
  const attacks = [{ class: 'missing signature', on: one.name, ...unsigned, usual }];
  // Whoever pays is free to; for the others, somebody else signs in their place.
  if (one.name !== 'payer') {
    const forged = vary(scenario, at, (key) => ({ ...key, pubkey: new PublicKey(mallory.address) }));
    attacks.push({ class: 'wrong signer', on: one.name, ...forged, usual });
  }
  return attacks;
}

function flagAttacks(one: IdlAccount, at: number, scenario: Scenario): Attack[] {
  if (!one.writable) return [];
  const readonly = vary(scenario, at, (key) => ({ ...key, isWritable: false }));
  return [{ class: 'read-only account', on: one.name, ...readonly, usual: 'BadAccount' }];
}

/** Another account in place of one that does not sign. */
function substitutions(one: IdlAccount, at: number, scenario: Scenario): Attack[] {
  const key = scenario.instruction.keys[at] as Key;
  if (one.signer) return [];
  const put = (kind: string, address: Address) => {
    const changed = vary(scenario, at, (was) => ({ ...was, pubkey: new PublicKey(address) }));
    return { class: kind, on: one.name, ...changed, usual: 'BadAccount' };
  };
  if (one.address !== undefined) {
    const other = one.name === 'token_program' ? TOKEN_PROGRAM : pdas.configAddress(PROGRAM);
    return [put('wrong program', other), put('wrong program', actor('nothing there').address)];
  }
  const attacks = [put('account out of nowhere', actor(`out of nowhere for ${one.name}`).address)];
  const foreign = FOREIGN[one.name];
  if (foreign !== undefined) attacks.push(put('foreign account', foreign));
  const found = account(scenario.svm, toAddress(key.pubkey));
  if (found !== undefined && found.data.length > 0 && key.pubkey.toBase58() !== PROGRAM) {
    const counterfeit = actor(`counterfeit ${one.name}`).address;
    putAccount(scenario.svm, counterfeit, { ...found, owner: TWIN });
    const displaced = actor(`displaced ${one.name}`).address;
    putAccount(scenario.svm, displaced, found);
    attacks.push(
      put('counterfeit of another program', counterfeit),
      put('copy at another address', displaced),
    );
  }
  return attacks;
}

/** An account of the program that is what it should be but for one thing, as no transaction could make it. */
function spoilings(one: IdlAccount, at: number, { svm, instruction, signers }: Scenario): Attack[] {
  const address = toAddress((instruction.keys[at] as Key).pubkey);
  const found = account(svm, address);
  if (found === undefined || found.owner !== PROGRAM) return [];
  const { data } = found;
  const spoil = (how: string, changes: Partial<AccountData>) => ({
    class: 'spoiled account',
    on: `${one.name} ${how}`,
    instruction,
    signers,
    usual: 'BadAccount',
    spoiled: { address, as: { ...found, ...changes } },
  });
  return [
    spoil('of another program', { owner: TWIN }),
    spoil('of another type', { data: data.with(0, (data[0] ?? 0) ^ 1) }),
    spoil('of another layout', { data: data.with(8, 2) }),
    spoil('of another bump', { data: data.with(9, (data[9] ?? 0) ^ 1) }),
    spoil('with a byte less', { data: data.subarray(0, -1) }),
    spoil('with a byte more', { data: Uint8Array.from([...data, 0]) }),
  ];
}

/** Accounts that are as genuine as the right ones, but somebody else's. */
const rivalTicket = pdas.ticketAddresses(PROGRAM, RIVAL_SHOW, 0);
const FOREIGN: { [account: string]: Address | undefined } = {
  config: pdas.configAddress(TWIN),
  organizer: RIVAL,
  event: RIVAL_SHOW,
  auth: pdas.authAddress(PROGRAM, RIVAL_SHOW),
  ticket: rivalTicket.ticket,
  mint: rivalTicket.mint,
  token: pdas.tokenAddress(PROGRAM, rivalTicket.ticket, people.alice.address),
  from_token: pdas.tokenAddress(PROGRAM, rivalTicket.ticket, people.alice.address),
  to_token: pdas.tokenAddress(PROGRAM, rivalTicket.ticket, people.bob.address),
  holder: mallory.address,
  to: mallory.address,
  rent_recipient: mallory.address,
  payment_from: mallory.address,
  payment_to_seller: mallory.address,
  payment_to_organizer: mallory.address,
  payment_to_treasury: mallory.address,
  program: TOKEN_PROGRAM,
  program_data: pdas.programDataAddress(TOKEN_PROGRAM),
  currency_program: pdas.configAddress(PROGRAM),
};

/** One writable account standing in for another. */
function duplicates(accounts: IdlAccount[], scenario: Scenario): Attack[] {
  const writable = accounts.flatMap((one, at) => (one.writable ? [{ ...one, at }] : []));
  return writable.flatMap((one) =>
    writable
      .filter((other) => other.at !== one.at && !other.signer)
      .map((other) => {
        const { pubkey } = scenario.instruction.keys[one.at] as Key;
        const doubled = vary(scenario, other.at, (key) => ({ ...key, pubkey }));
        return {
          class: 'duplicate accounts',
          on: `${one.name} as ${other.name}`,
          ...doubled,
          usual: 'BadAccount',
        };
      }),
  );
}

function countAttacks({ instruction, signers }: Scenario): Attack[] {
  const { programId, data, keys } = instruction;
  const extra = { pubkey: new PublicKey(mallory.address), isSigner: false, isWritable: false };
  const attack = (on: string, changed: Key[]) => {
    const present = signers.filter((one) =>
      changed.some((key) => key.isSigner && key.pubkey.toBase58() === one.address),
    );
    const varied = new TransactionInstruction({ programId, data, keys: changed });
    return {
      class: 'wrong number of accounts',
      on,
      instruction: varied,
      signers: present,
      usual: 'BadAccount',
    };
  };
  return [attack('one less', keys.slice(0, -1)), attack('none', []), attack('one more', [...keys, extra])];
}

function dataAttacks({ instruction, signers }: Scenario): Attack[] {
  const { programId, keys, data } = instruction;
  const attack = (kind: string, bytes: Buffer, usual: string) => {
    const varied = new TransactionInstruction({ programId, keys, data: bytes });
    return { class: kind, on: `${bytes.length} bytes`, instruction: varied, signers, usual };
  };
  const lengths = Array.from({ length: data.length }, (_, length) => length);
  return [
    ...lengths.map((length) =>
      attack('truncated data', data.subarray(0, length), length < 8 ? 'UnknownInstruction' : 'BadArgument'),
    ),
    attack('oversized data', Buffer.concat([data, Buffer.alloc(1)]), 'BadArgument'),
    attack('oversized data', Buffer.concat([data, data]), 'BadArgument'),
  ];
}

/** The same invocation with one account meta changed, signed by whoever it then names as a signer. */
function vary(
  { instruction, signers }: Scenario,
  at: number,
  change: (key: Key) => Key,
): { instruction: TransactionInstruction; signers: Actor[] } {
  const keys = instruction.keys.map((key, index) => (index === at ? change(key) : key));
  const named = (one: Actor) => keys.some((key) => key.isSigner && key.pubkey.toBase58() === one.address);
  const { programId, data } = instruction;
  return {
    instruction: new TransactionInstruction({ programId, keys, data }),
    signers: [...signers, mallory].filter(named),
  };
}

/** Puts the twin's configuration on the chain: genuine bytes, at its own address, of another program. */
export function putTwinConfig(svm: LiteSVM): void {
  const config = account(svm, pdas.configAddress(PROGRAM));
  if (config) putAccount(svm, pdas.configAddress(TWIN), { ...config, owner: TWIN });
}
