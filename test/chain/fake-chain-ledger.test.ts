import { afterEach, describe, expect, it } from 'vitest';
import { alice, bob, type FakeWorld, fakeWorld } from './support/fake-world.ts';
import { latestBlockhash, pay, SOL, send, signed } from './support/send-raw.ts';

const PROCESSED = { commitment: 'processed' };
const CONFIRMED = { commitment: 'confirmed' };

let world: FakeWorld;
afterEach(() => world.chain.stop());

async function balance(address: string, config: object): Promise<number> {
  return (await world.rpc.ask('getBalance', address, config)).value - SOL;
}

describe('commitment', () => {
  it('grows with the blocks on top, and accounts, statuses and lists go by it', async () => {
    world = await fakeWorld();
    const { chain, rpc, give, commitment } = world;
    const signature = await give(5);
    expect(await commitment(signature)).toBeUndefined();
    chain.advance();
    expect(await commitment(signature)).toBe('processed');
    expect(await balance(bob.address, PROCESSED)).toBe(5);
    expect(await balance(bob.address, CONFIRMED)).toBe(0);
    expect(await rpc.ask('getSignaturesForAddress', bob.address, CONFIRMED)).toEqual([]);
    expect(await rpc.ask('getTransaction', signature, CONFIRMED)).toBeNull();
    chain.advance();
    expect(await commitment(signature)).toBe('confirmed');
    expect(await balance(bob.address, CONFIRMED)).toBe(5);
    expect(await rpc.ask('getSignaturesForAddress', bob.address, CONFIRMED)).toHaveLength(1);
    expect(await balance(bob.address, {})).toBe(0);
    chain.advance(30);
    expect(await commitment(signature)).toBe('confirmed');
    chain.advance();
    expect(await commitment(signature)).toBe('finalized');
    expect(await balance(bob.address, {})).toBe(5);
  });

  it('comes after as many blocks as it is told', async () => {
    world = await fakeWorld({ confirmedAfter: 2, finalizedAfter: 4 });
    const signature = await world.give(5);
    const seen = [];
    for (let slot = 0; slot < 6; slot++) {
      world.chain.advance();
      seen.push(await world.commitment(signature));
    }
    expect(seen).toEqual(['processed', 'processed', 'confirmed', 'confirmed', 'finalized', 'finalized']);
  });
});

describe('a blockhash', () => {
  it('is good for as many blocks as the node said, and no block longer', async () => {
    world = await fakeWorld({ blockhashBlocks: 10 });
    const { chain, rpc } = world;
    const { blockhash, lastValidBlockHeight } = (await rpc.ask('getLatestBlockhash', PROCESSED)).value;
    const lasting = await signed(rpc, [pay(alice, bob, 1)], [alice], { blockhash });
    const late = await signed(rpc, [pay(alice, bob, 2)], [alice], { blockhash });
    const unchecked = { skipPreflight: true };
    chain.advance(9);
    const first = await send(rpc, lasting, unchecked);
    chain.advance();
    expect(await rpc.ask('getBlockHeight', PROCESSED)).toBe(lastValidBlockHeight);
    expect(await world.commitment(first)).toBe('processed');
    const second = await send(rpc, late, unchecked);
    chain.advance();
    expect(await world.commitment(second)).toBeUndefined();
    expect(chain.truth.counts()).toMatchObject({ accepted: 2, expired: 1 });
    expect((await rpc.ask('isBlockhashValid', blockhash, PROCESSED)).value).toBe(false);
    chain.advance(200);
    expect(await world.commitment(second)).toBeUndefined();
  });

  it('counts blocks and not slots', async () => {
    world = await fakeWorld({ blockhashBlocks: 10 });
    const { chain, rpc } = world;
    const blockhash = await latestBlockhash(rpc);
    chain.fault({ skip: 1 });
    chain.advance(50);
    expect((await rpc.ask('isBlockhashValid', blockhash, PROCESSED)).value).toBe(true);
    expect(await rpc.ask('getSlot', PROCESSED)).toBe(40);
    expect(await rpc.refused('getBlockTime', 39 + 20)).toMatchObject({ code: -32004 });
    chain.fault({});
    chain.advance();
    expect(await rpc.ask('getSlot', PROCESSED)).toBe(91);
    expect(await rpc.ask('getBlockHeight', PROCESSED)).toBe(41);
    expect(await rpc.refused('getBlockTime', 60)).toMatchObject({ code: -32007 });
  });
});

describe('a fork', () => {
  it('takes back what it drops, accounts included, at every depth that is not final', async () => {
    world = await fakeWorld({ faults: { lost: 1 } });
    const { chain, rpc, give, commitment } = world;
    for (const depth of [1, 2, 7, 31]) {
      const before = await balance(bob.address, PROCESSED);
      const newest = await rpc.ask('getSlot', PROCESSED);
      const signatures: string[] = [];
      for (let block = 0; block < depth; block++) {
        signatures.push(await give(1_000 * depth + block));
        chain.advance();
      }
      expect(await balance(bob.address, PROCESSED)).toBeGreaterThan(before);
      chain.fork(depth);
      expect(await balance(bob.address, PROCESSED)).toBe(before);
      for (const signature of signatures) expect(await commitment(signature)).toBeUndefined();
      expect(await rpc.ask('getSlot', PROCESSED)).toBe(newest + depth + 1);
      chain.advance(40);
      expect(await rpc.ask('getSignaturesForAddress', bob.address, CONFIRMED)).toEqual([]);
    }
    expect(chain.truth.counts()).toMatchObject({ forks: 4, forkedAway: 41, lost: 41 });
  });

  it('lets the block height fall and the final slot never', async () => {
    world = await fakeWorld();
    const { chain, rpc } = world;
    const height = await rpc.ask('getBlockHeight', PROCESSED);
    const root = await rpc.ask('getSlot', {});
    chain.fork(31);
    expect(await rpc.ask('getBlockHeight', PROCESSED)).toBe(height - 30);
    expect(await rpc.ask('getSlot', {})).toBe(root);
    expect(() => chain.fork(33)).toThrow(RangeError);
    expect(() => chain.fork(0)).toThrow(RangeError);
    chain.advance(30);
    expect(await rpc.ask('getSlot', {})).toBe(root);
    chain.advance(2);
    expect(await rpc.ask('getSlot', {})).toBeGreaterThan(root);
  });

  it('brings back what it dropped, in other slots, where it is not lost', async () => {
    world = await fakeWorld({ faults: { lost: 0, back: [0, 4] } });
    const { chain, give, commitment, rpc } = world;
    const signatures = await Promise.all(Array.from({ length: 20 }, (_, i) => give(100 + i)));
    chain.advance(3);
    const before = (await rpc.ask('getSignatureStatuses', signatures)).value.map(
      (one: { slot: number }) => one.slot,
    );
    chain.fork(3);
    chain.advance(6);
    const after = (await rpc.ask('getSignatureStatuses', signatures)).value.map(
      (one: { slot: number }) => one.slot,
    );
    expect(new Set(before).size).toBe(1);
    expect(new Set(after).size).toBeGreaterThan(1);
    expect(Math.min(...after)).toBeGreaterThan(before[0]);
    for (const signature of signatures) expect(await commitment(signature)).toBe('confirmed');
    expect(await balance(bob.address, PROCESSED)).toBe(20 * 100 + 190);
  });

  it('ends a transaction whose blockhash went with it', async () => {
    world = await fakeWorld({ faults: { lost: 0, back: [0, 0] } });
    const { chain, rpc } = world;
    chain.advance();
    const { blockhash } = (await rpc.ask('getLatestBlockhash', PROCESSED)).value;
    const signature = await send(rpc, await signed(rpc, [pay(alice, bob, 9)], [alice], { blockhash }), {
      skipPreflight: true,
    });
    chain.advance();
    expect(await world.commitment(signature)).toBe('processed');
    chain.fork(2);
    chain.advance(10);
    expect(await world.commitment(signature)).toBeUndefined();
    expect((await rpc.ask('isBlockhashValid', blockhash, PROCESSED)).value).toBe(false);
  });

  it('never takes what was given from outside', async () => {
    world = await fakeWorld();
    world.chain.fund(bob.address, 7);
    world.chain.fork(20);
    expect(await balance(bob.address, {})).toBe(7);
  });
});

describe('a signature', () => {
  it('that is not its payer’s gets nothing done, checked or not', async () => {
    world = await fakeWorld();
    const { chain, rpc } = world;
    const forged = Buffer.from(await signed(rpc, [pay(alice, bob, 9)], [alice]), 'base64');
    forged[10] = (forged[10] ?? 0) ^ 1;
    const options = { encoding: 'base64', preflightCommitment: 'confirmed' };
    const text = forged.toString('base64');
    expect(await rpc.refused('sendTransaction', text, options)).toMatchObject({ code: -32003 });
    const signature = await rpc.ask('sendTransaction', text, { ...options, skipPreflight: true });
    chain.advance(3);
    expect(await world.commitment(signature)).toBeUndefined();
    expect(await balance(bob.address, PROCESSED)).toBe(0);
    expect(chain.truth.counts()).toMatchObject({ refused: 1 });
  });
});
