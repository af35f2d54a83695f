import { createHash } from 'node:crypto';
import { ComputeBudgetProgram } from '@solana/web3.js';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { SYSTEM_PROGRAM, toAddress } from '../../../programs-client/addresses.ts';
import { buildMintMessage, type MintOfMessage } from '../../../programs-client/build-mint-message.ts';
import { computeLimit, type InstructionName } from '../../../programs-client/compute-limits.ts';
import { TEXT_LIMITS } from '../../../programs-client/instructions/mint-ticket.ts';
import { PROGRAM, putAccount, send, sendMessage } from './support/chain.ts';
import { scenarios } from './support/scenarios.ts';
import { scenarioOf } from './support/special-attacks.ts';
import { ACME, id16, makeEvent, newWorld, people } from './support/world.ts';

vi.setConfig({ testTimeout: 120_000 });

const { feePayer, payer, acme } = people;

const text = (limit: number, least = 0) =>
  fc
    .oneof(fc.constantFrom(least, limit), fc.integer({ min: least, max: limit }))
    .map((length) => 'x'.repeat(length));
const attribute = fc.option(text(TEXT_LIMITS.attribute, 1), { nil: undefined, freq: 2 });
const someMint = fc.record({
  name: text(TEXT_LIMITS.name),
  symbol: text(TEXT_LIMITS.symbol),
  uri: text(TEXT_LIMITS.uri),
  attributes: fc.record({ event: attribute, type: attribute, seat: attribute, number: attribute }),
  /** Which of its three accounts somebody has sent lamports to. */
  prefunded: fc.oneof(fc.constant(0), fc.nat(7)),
});

/** Mints them under the limit that the table gives, and says how much of it was used; undefined without room. */
function mintUnder(
  world: ReturnType<typeof worldOfMints>,
  given: (typeof someMint extends fc.Arbitrary<infer One> ? One : never)[],
) {
  const { svm, event } = world;
  const mints = given.map((mint): MintOfMessage => {
    const index = world.next++;
    const holder = toAddress(createHash('sha256').update(`holder ${index}`).digest());
    return { ...mint, index, ticketId: id16(1), holder, faceValue: 1n };
  });
  const input = {
    programId: PROGRAM,
    payer: payer.address,
    authority: acme.address,
    organizer: ACME,
    event,
    mints,
  };
  const built = buildMintMessage({ ...input, blockhash: svm.latestBlockhash() });
  if (built === undefined) return undefined;
  built.tickets.forEach((addresses, nth) => {
    Object.values(addresses).forEach((address, which) => {
      if (((given[nth]?.prefunded ?? 0) >> which) % 2 === 0) return;
      putAccount(svm, address, { lamports: 1n, owner: SYSTEM_PROGRAM, data: new Uint8Array() });
    });
  });
  const sent = sendMessage(svm, built.message, [payer, acme]);
  const budgetAt = Buffer.from(built.message).indexOf(Buffer.from([0, 5, 2]));
  return { ...sent, limit: Buffer.from(built.message).readUInt32LE(budgetAt + 3) };
}

function worldOfMints() {
  const svm = newWorld();
  const event = makeEvent(svm, 9, { maxSupply: 1_000_000 });
  svm.withTransactionHistory(0n);
  return { svm, event, next: 0 };
}

describe('the compute limit of mints', () => {
  it('is never reached, whatever the texts, the addresses and whoever has sent lamports there', () => {
    const world = worldOfMints();
    let count = 0;
    fc.assert(
      fc.property(fc.array(someMint, { minLength: 1, maxLength: 2 }), (mints) => {
        const sent = mintUnder(world, mints);
        if (sent === undefined) return;
        count++;
        expect(sent.error).toBeUndefined();
        // The margin is for other versions of the programs that are called, not for what is known here.
        expect((sent.units - 150) * 1.08).toBeLessThanOrEqual(sent.limit - 150);
      }),
      { numRuns: 1500, seed: 21 },
    );
    expect(count).toBeGreaterThan(900);
  });

  it('is not more than half above what a usual mint takes', () => {
    const world = worldOfMints();
    const usual = {
      name: 'Rock Night 2027 #000123',
      symbol: 'TSRA',
      uri: 'https://tickets.example.com/nft/0123456789abcdef/metadata.json',
      prefunded: 0,
    };
    const all = { event: 'Rock Night 2027', type: 'Standing', seat: 'A-12', number: '000123' };
    for (const attributes of [
      {},
      { number: all.number },
      { type: all.type, number: all.number },
      { ...all, seat: '' },
      all,
    ]) {
      for (const mints of [
        [{ ...usual, attributes }],
        [
          { ...usual, attributes },
          { ...usual, attributes },
        ],
      ]) {
        const sent = mintUnder(world, mints as never);
        expect(sent?.error).toBeUndefined();
        expect(sent?.limit).toBeLessThanOrEqual((sent?.units ?? 0) * 1.5);
      }
    }
  });

  it('covers the instruction that sets a price', () => {
    const one = computeLimit([{ instruction: 'mint_ticket' }]);
    expect(computeLimit([{ instruction: 'mint_ticket' }], 2)).toBe(one + 150);
    expect(() => computeLimit([{ instruction: 'mint_ticket', attributes: 5 }])).toThrow(RangeError);
  });
});

describe('the compute limit of other instructions', () => {
  const others = Object.keys(scenarios) as InstructionName[];

  it.each(others)('is enough for %s', (instruction) => {
    const scenario = scenarioOf(instruction);
    const units = computeLimit([{ instruction }]);
    const budget = ComputeBudgetProgram.setComputeUnitLimit({ units });
    const { svm, signers } = scenario;
    const sent = send(svm, [budget, scenario.instruction], [feePayer, ...signers]);
    expect(sent.error, sent.logs.join('\n')).toBeUndefined();
    expect((sent.units - 150) * 1.05).toBeLessThanOrEqual(units - 150);
  });
});
