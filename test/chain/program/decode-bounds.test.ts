import { utils } from '@coral-xyz/anchor';
import { PublicKey } from '@solana/web3.js';
import { describe, expect, it, vi } from 'vitest';
import { decodeEntries } from '../../../programs-client/decode-entries.ts';
import type { TransactionLike } from '../../../programs-client/flatten-transaction.ts';
import { actor } from './support/actors.ts';
import { PROGRAM } from './support/chain.ts';
import { transactionOf } from './support/special-attacks.ts';

vi.setConfig({ testTimeout: 60_000 });

const OTHER = actor('another program').address;
const mint = transactionOf('mint_ticket');
const entries = decodeEntries(PROGRAM, mint);
/** As long as what one program can pass to another. */
const LONG = utils.bytes.bs58.encode(Buffer.alloc(10_240, 7));

type Counts = { data: number; accounts: number };

/** An instruction that counts how often somebody looks into it. */
function watched(programIdIndex: number, counts: Counts, data: string | Uint8Array = LONG) {
  return {
    programIdIndex,
    get data() {
      counts.data++;
      return data;
    },
    get accounts() {
      counts.accounts++;
      return Array.from({ length: 255 }, () => 0);
    },
  };
}

/** The mint, with inner instructions of another program behind those it has. */
function mintWith(many: number, counts: Counts): TransactionLike {
  const { accountKeys = [], instructions = [] } = mint.transaction.message;
  const inner = mint.meta?.innerInstructions?.[0]?.instructions ?? [];
  const foreign = Array.from({ length: many }, () => watched(accountKeys.length, counts));
  return {
    transaction: { message: { accountKeys: [...accountKeys, OTHER], instructions } },
    meta: {
      ...mint.meta,
      err: null,
      innerInstructions: [{ index: 0, instructions: [...inner, ...foreign] }],
    },
  };
}

/** The mint called by another program, as often as is said. */
function calledOften(times: number): TransactionLike {
  const { accountKeys = [], instructions = [] } = mint.transaction.message;
  const outer = { programIdIndex: accountKeys.length, accounts: [], data: '' };
  const called = Array.from({ length: times }, () => instructions).flat();
  return {
    transaction: { message: { accountKeys: [...accountKeys, OTHER], instructions: [outer] } },
    meta: { err: null, logMessages: [], innerInstructions: [{ index: 0, instructions: called }] },
  };
}

const tooLarge = expect.objectContaining({ name: 'UnreadableTransactionError', kind: 'too_large' });
const malformed = expect.objectContaining({ name: 'UnreadableTransactionError', kind: 'malformed' });

describe('instructions of other programs', () => {
  it('are not looked into, however many and long they are', () => {
    const counts = { data: 0, accounts: 0 };
    expect(decodeEntries(PROGRAM, mintWith(5_000, counts))).toEqual(entries);
    expect(counts).toEqual({ data: 0, accounts: 0 });
  });

  it('are not looked into either where the node names their program by address', () => {
    const counts = { data: 0, accounts: 0 };
    const foreign = Array.from({ length: 5_000 }, () => {
      const instruction = watched(0, counts);
      return Object.defineProperty(instruction, 'programId', { value: new PublicKey(OTHER) });
    });
    const innerInstructions = [{ index: 0, instructions: foreign }];
    const logMessages = mint.meta?.logMessages;
    const { transaction } = mint;
    expect(
      decodeEntries(PROGRAM, { transaction, meta: { err: null, logMessages, innerInstructions } }),
    ).toEqual(entries);
    expect(counts).toEqual({ data: 0, accounts: 0 });
  });

  it('stop being counted where no cluster runs as many', () => {
    expect(() => decodeEntries(PROGRAM, mintWith(10_000, { data: 0, accounts: 0 }))).toThrow(tooLarge);
  });
});

describe('instructions of the program', () => {
  const { accountKeys = [], instructions = [] } = mint.transaction.message;
  const [instruction = {}] = instructions;
  const withInstruction = (changes: object, keys = accountKeys): TransactionLike => ({
    transaction: { message: { accountKeys: keys, instructions: [{ ...instruction, ...changes }] } },
    meta: { ...mint.meta, err: null },
  });

  it('are decoded up to as many as no cluster runs, and refused beyond', () => {
    expect(decodeEntries(PROGRAM, calledOften(256))).toHaveLength(256);
    expect(() => decodeEntries(PROGRAM, calledOften(257))).toThrow(tooLarge);
  });

  it('are refused undecoded if their data is longer than the program takes', () => {
    for (const data of [LONG, new Uint8Array(1025), '1'.repeat(1_000_000)]) {
      expect(() => decodeEntries(PROGRAM, withInstruction({ data }))).toThrow(tooLarge);
    }
  });

  it('are refused with more accounts than there can be', () => {
    const accounts = Array.from({ length: 257 }, () => 0);
    expect(() => decodeEntries(PROGRAM, withInstruction({ accounts }))).toThrow(tooLarge);
    const keys = Array.from({ length: 257 }, () => accountKeys[0] ?? '');
    expect(() => decodeEntries(PROGRAM, withInstruction({}, keys))).toThrow(tooLarge);
  });

  it.each([
    ['a program that is not listed', { programIdIndex: 99 }],
    ['no program', { programIdIndex: undefined }],
    ['an account that is not listed', { accounts: [99] }],
    ['an account that is no address', { accounts: ['nobody'] }],
    ['too few accounts', { accounts: [0, 1, 2] }],
    ['data that is no base58', { data: '0OIl' }],
  ])('are refused as malformed with %s', (_, changes) => {
    expect(() => decodeEntries(PROGRAM, withInstruction(changes))).toThrow(malformed);
  });
});

describe('logs', () => {
  const withLogs = (logMessages: string[]): TransactionLike => ({
    ...mint,
    meta: { ...mint.meta, err: null, logMessages },
  });
  const logs = mint.meta?.logMessages ?? [];
  const incomplete = [expect.objectContaining({ kind: 'ticket_minted', complete: false })];

  it('are read no further than any cluster writes them', () => {
    let reads = 0;
    const lines = Array.from({ length: 100_000 }, () => 'Program log: noise');
    const counted = new Proxy([...lines, ...logs], {
      get: (target, name) => {
        if (typeof name === 'string' && /^\d+$/.test(name)) reads++;
        return Reflect.get(target, name);
      },
    });
    expect(decodeEntries(PROGRAM, withLogs(counted))).toEqual(incomplete);
    expect(reads).toBeLessThanOrEqual(4096);
  });

  it('leave an entry incomplete behind a line of megabytes', () => {
    const line = `Program log: ${'x'.repeat(5_000_000)}`;
    expect(decodeEntries(PROGRAM, withLogs([line, ...logs]))).toEqual(incomplete);
    expect(decodeEntries(PROGRAM, withLogs([...logs, line]))).toEqual(entries);
  });
});
