import { describe, expect, it, vi } from 'vitest';
import { decodeEntries } from '../../../programs-client/decode-entries.ts';
import type { TransactionLike } from '../../../programs-client/flatten-transaction.ts';
import { actor } from './support/actors.ts';
import { PROGRAM, send } from './support/chain.ts';
import { scenarios } from './support/scenarios.ts';
import { transactionOf } from './support/special-attacks.ts';
import { mintOf, NOW, newWorld, people, SHOW } from './support/world.ts';

vi.setConfig({ testTimeout: 60_000 });

const { feePayer, payer, acme, alice, bob } = people;
const entriesOf = (name: string) => decodeEntries(PROGRAM, transactionOf(name));

const OTHER = actor('another program').address;

/** The transaction as if another program had called this one, after writing some lines of its own. */
function nested(name: string, before: string[], after: string[]): TransactionLike {
  const { transaction, meta } = transactionOf(name);
  const { accountKeys = [], instructions = [] } = transaction.message;
  const called = (meta?.innerInstructions ?? []).flatMap((group) => group.instructions);
  const logs = (meta?.logMessages ?? []).map((line) =>
    line.replace(/invoke \[(\d)\]$/, (_, depth) => `invoke [${Number(depth) + 1}]`),
  );
  const outer = { programIdIndex: accountKeys.length, accounts: [], data: '' };
  return {
    transaction: { message: { accountKeys: [...accountKeys, OTHER], instructions: [outer] } },
    meta: {
      err: null,
      logMessages: [`Program ${OTHER} invoke [1]`, ...before, ...logs, ...after, `Program ${OTHER} success`],
      innerInstructions: [{ index: 0, instructions: [...instructions, ...called] }],
    },
  };
}

describe('an instruction that another program calls', () => {
  it('has an entry at its inner path', () => {
    const entries = decodeEntries(PROGRAM, nested('mint_ticket', [], []));
    expect(entries).toEqual([{ ...entriesOf('mint_ticket')[0], instructionPath: '0.0' }]);
  });

  it('is not confused by what the other program writes before, after, or as a message', () => {
    const genuine = transactionOf('mint_ticket').meta?.logMessages?.find((line) =>
      line.startsWith('Program data:'),
    );
    const forged = [
      'Program data: AAAAAAAAAAA=',
      genuine?.replace('AAAA', 'AAAB') ?? '',
      `Program log: Program ${PROGRAM} invoke [2]`,
      `Program log: ${genuine}`,
      'Program log: Log truncated',
    ];
    const entries = decodeEntries(PROGRAM, nested('mint_ticket', forged, forged));
    expect(entries).toEqual([{ ...entriesOf('mint_ticket')[0], instructionPath: '0.0' }]);
  });

  it('does not lend its name to an event that only the other program wrote', () => {
    const { transaction, meta } = nested('mint_ticket', [], []);
    const logs = (meta?.logMessages ?? []).map((line) =>
      line.startsWith('Program data:') ? 'Program data: AAAAAAAAAAA=' : line,
    );
    const forged = (transactionOf('mint_ticket').meta?.logMessages ?? []).find((line) =>
      line.startsWith('Program data:'),
    );
    const logMessages = [logs[0] ?? '', forged ?? '', ...logs.slice(1)];
    const [entry] = decodeEntries(PROGRAM, { transaction, meta: { ...meta, err: null, logMessages } });
    expect(entry).toMatchObject({ kind: 'ticket_minted', complete: false, to: bob.address });
    expect(entry).not.toHaveProperty('version');
  });
});

describe('logs that were cut', () => {
  const cutAt = (name: string, keep: (line: string) => boolean): TransactionLike => {
    const { transaction, meta } = transactionOf(name);
    const lines = meta?.logMessages ?? [];
    const cut = lines.findIndex((line) => !keep(line));
    const rest = lines.slice(cut).filter((line) => line.endsWith('success'));
    return {
      transaction,
      meta: { ...meta, err: null, logMessages: [...lines.slice(0, cut), 'Log truncated', ...rest] },
    };
  };

  it('leave an entry incomplete if its event is gone, with all that the instruction says', () => {
    const entries = decodeEntries(
      PROGRAM,
      cutAt('mint_ticket', (line) => !line.startsWith('Program data:')),
    );
    const { version, unixTime, ...rest } = entriesOf('mint_ticket')[0] as unknown as Record<string, unknown>;
    expect(entries).toEqual([{ ...rest, complete: false }]);
    expect([version, unixTime]).toEqual([1, NOW]);
  });

  it('leave it complete if the event is there', () => {
    const entries = decodeEntries(
      PROGRAM,
      cutAt('mint_ticket', (line) => !line.includes('Tokenz')),
    );
    expect(entries).toEqual(entriesOf('mint_ticket'));
  });

  it('spoil nothing before the cut: of two mints the first stays complete', () => {
    const two = [mintOf(SHOW, 5, alice.address), mintOf(SHOW, 6, bob.address)];
    const { transaction } = send(newWorld(), two, [feePayer, payer, acme]);
    const lines = transaction.meta?.logMessages ?? [];
    const second = lines.findLastIndex((line) => line.startsWith('Program data:'));
    const logMessages = [...lines.slice(0, second), 'Log truncated', ...lines.slice(second + 1)];
    const entries = decodeEntries(PROGRAM, {
      ...transaction,
      meta: { ...transaction.meta, err: null, logMessages },
    });
    expect(entries).toMatchObject([
      { complete: true, index: 5, version: 1 },
      { complete: false, index: 6 },
    ]);
  });

  it.each(Object.keys(scenarios))(
    'leave the entry of %s incomplete where they are missing altogether',
    (name) => {
      const { transaction, meta } = transactionOf(name);
      const entries = decodeEntries(PROGRAM, {
        transaction,
        meta: { ...meta, err: null, logMessages: null },
      });
      expect(entries).toMatchObject([{ complete: false, kind: entriesOf(name)[0]?.kind }]);
    },
  );
});
