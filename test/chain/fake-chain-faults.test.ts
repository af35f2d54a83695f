import { afterEach, describe, expect, it } from 'vitest';
import type { FakeChainOptions } from '../support/fake-chain/options.ts';
import { alice, bob, type FakeWorld, fakeWorld } from './support/fake-world.ts';
import { type Json, rawSocket } from './support/raw-rpc.ts';
import { pay, signed } from './support/send-raw.ts';

const PROCESSED = { commitment: 'processed' };
const CONFIRMED = { commitment: 'confirmed' };
const ASKED = { jsonrpc: '2.0', id: 1, method: 'getSlot', params: [] };

let world: FakeWorld;
afterEach(() => world.chain.stop());

const signaturesOf = (list: Json): string[] => list.map((one: { signature: string }) => one.signature);

describe('chance', () => {
  const rough: Partial<FakeChainOptions> = {
    faults: {
      drop: 0.2,
      late: { chance: 0.3, slots: [1, 4] },
      skip: 0.1,
      fork: { chance: 0.2, depth: [1, 5] },
      lost: 0.3,
    },
    nodes: {
      main: {
        lies: { noStatus: 0.3, noAccount: 0.3 },
        answers: { tooMany: { chance: 0.2, retryAfter: 1, methods: ['getSlot'] } },
      },
    },
  };

  /** What is decided and what comes of it, for one seed and always the same input. */
  async function play(seed: number) {
    world = await fakeWorld({ seed, ...rough });
    const { chain, rpc, give, commitment } = world;
    const seen: unknown[] = [];
    for (let turn = 0; turn < 30; turn++) {
      const signature = await give(10 + turn, { skipPreflight: true, maxRetries: 0 });
      chain.advance(2);
      seen.push(await commitment(signature), await rpc.ask('getBalance', bob.address, PROCESSED));
      seen.push((await rpc.post(ASKED)).status);
    }
    const listed = await rpc.ask('getSignaturesForAddress', alice.address, CONFIRMED);
    const result = {
      listed,
      decided: chain.decided(),
      seen,
      counts: chain.truth.counts(),
      landed: chain.truth.landed('processed'),
    };
    await chain.stop();
    return result;
  }

  it('gives the same faults to the same seed and input, and others to another seed', async () => {
    const [first, again, other] = [await play(7), await play(7), await play(8)];
    expect(again).toEqual(first);
    // Forks and skipped slots have the same subjects in every run; what is drawn by signature differs anyway.
    const bySlot = (played: typeof first) =>
      played.decided.filter(({ subject }) => subject.startsWith('slot '));
    expect(bySlot(other)).not.toEqual(bySlot(first));
    expect(other.seen).not.toEqual(first.seen);
    const kinds = new Set(first.decided.map(({ fault }) => fault));
    expect([...kinds]).toEqual(
      expect.arrayContaining(['drop', 'late', 'skip', 'fork', 'noStatus', 'noAccount', 'tooMany']),
    );
    expect(first.counts.dropped).toBeGreaterThan(0);
    expect(first.counts.forks).toBeGreaterThan(0);
  });

  it('does not depend on what else is asked, and in which order', async () => {
    const dropped: string[][] = [];
    for (const order of [
      [1, 2, 3, 4, 5, 6, 7, 8],
      [8, 3, 1, 2, 7, 6, 5, 4],
    ]) {
      world = await fakeWorld({ seed: 3, faults: { drop: 0.5 } });
      const sent = new Map<number, string>();
      for (const lamports of order) {
        if (order[0] === 8) await world.rpc.ask('getSlot', PROCESSED);
        sent.set(lamports, await world.give(lamports, { maxRetries: 0 }));
      }
      world.chain.advance();
      const states = [...sent]
        .toSorted(([a], [b]) => a - b)
        .map(async ([, one]) => `${await world.commitment(one)}`);
      dropped.push(await Promise.all(states));
      await world.chain.stop();
    }
    expect(dropped[0]).toEqual(dropped[1]);
    expect(new Set(dropped[0])).toEqual(new Set(['processed', 'undefined']));
  });

  it('can be a schedule', async () => {
    world = await fakeWorld({
      faults: { drop: { nth: [2, 3] }, fork: { chance: { nth: [50] }, depth: [3, 3] } },
    });
    const states: unknown[] = [];
    for (let turn = 0; turn < 4; turn++) {
      const signature = await world.give(turn + 1, { maxRetries: 0 });
      world.chain.advance();
      states.push(await world.commitment(signature));
    }
    expect(states).toEqual(['processed', undefined, undefined, 'processed']);
    world.chain.advance(10);
    expect(world.chain.truth.counts().forks).toBe(1);
    expect(world.chain.decided().find(({ fault }) => fault === 'fork')).toMatchObject({ subject: 'slot 50' });
  });
});

describe('a transaction on its way', () => {
  it('that is dropped lands when it is sent again, by its sender or by the node', async () => {
    world = await fakeWorld({ faults: { drop: { nth: [1, 3] } } });
    const { chain, rpc, commitment } = world;
    const transaction = await signed(rpc, [pay(alice, bob, 1)], [alice]);
    const options = { encoding: 'base64', preflightCommitment: 'confirmed', maxRetries: 0 };
    const signature = await rpc.ask('sendTransaction', transaction, options);
    chain.advance(20);
    expect(await commitment(signature)).toBeUndefined();
    await rpc.ask('sendTransaction', transaction, options);
    chain.advance();
    expect(await commitment(signature)).toBe('processed');
    const retried = await world.give(2);
    chain.advance(5);
    expect(await commitment(retried)).toBeUndefined();
    chain.advance();
    expect(await commitment(retried)).toBe('processed');
    expect(chain.truth.counts()).toMatchObject({ dropped: 1 });
  });

  it('that is late lands so many slots later', async () => {
    world = await fakeWorld({ faults: { late: { chance: 1, slots: [3, 3] } } });
    const signature = await world.give(1);
    world.chain.advance(3);
    expect(await world.commitment(signature)).toBeUndefined();
    world.chain.advance();
    expect(await world.commitment(signature)).toBe('processed');
  });

  it('is one, however often it is sent', async () => {
    world = await fakeWorld();
    const { chain, rpc } = world;
    const transaction = await signed(rpc, [pay(alice, bob, 1)], [alice]);
    const options = { encoding: 'base64', skipPreflight: true };
    for (let turn = 0; turn < 3; turn++) await rpc.ask('sendTransaction', transaction, options);
    chain.advance();
    await rpc.ask('sendTransaction', transaction, options);
    chain.advance();
    expect(chain.truth.landed('processed')).toEqual({ count: 1, failed: 0 });
  });
});

describe('a node', () => {
  it('that lags answers all from its own, older slot', async () => {
    world = await fakeWorld({ nodes: { main: {}, slow: { lagSlots: 10 } } });
    const { chain, rpc } = world;
    const slow = world.node('slow');
    const signature = await world.give(5);
    chain.advance(6);
    const slot = await rpc.ask('getSlot', PROCESSED);
    expect(await slow.ask('getSlot', PROCESSED)).toBe(slot - 10);
    const [status] = (await rpc.ask('getSignatureStatuses', [signature])).value;
    expect(status.confirmationStatus).toBe('confirmed');
    expect(await slow.ask('getSignatureStatuses', [signature])).toMatchObject({
      context: { slot: slot - 10 },
      value: [null],
    });
    expect(await slow.ask('getTransaction', signature, CONFIRMED)).toBeNull();
    expect(await slow.ask('getSignaturesForAddress', bob.address, CONFIRMED)).toEqual([]);
    const [here, there] = await Promise.all(
      [rpc, slow].map((one) => one.ask('getBalance', bob.address, CONFIRMED)),
    );
    expect(here.value - there.value).toBe(5);
    expect(there.context.slot).toBe(slot - 11);
    const far = { ...CONFIRMED, minContextSlot: status.slot };
    expect(await slow.refused('getAccountInfo', bob.address, far)).toMatchObject({
      code: -32016,
      data: { contextSlot: slot - 11 },
    });
    const fresh = (await rpc.ask('getLatestBlockhash', CONFIRMED)).value.blockhash;
    expect((await slow.ask('isBlockhashValid', fresh, PROCESSED)).value).toBe(false);
    chain.advance(10);
    expect((await slow.ask('getSignatureStatuses', [signature])).value[0]).toMatchObject({
      slot: status.slot,
    });
  });

  it('that is stuck stays where it is, and goes on when it is mended', async () => {
    world = await fakeWorld();
    world.chain.nodes.main?.fault({ stuckAt: 40 });
    world.chain.advance(50);
    expect(await world.rpc.ask('getSlot', PROCESSED)).toBe(40);
    expect(await world.rpc.ask('getSlot', {})).toBe(8);
    world.chain.nodes.main?.fault({});
    expect(await world.rpc.ask('getSlot', PROCESSED)).toBe(90);
  });

  it('that lies denies what is there, while the others tell it', async () => {
    world = await fakeWorld({
      nodes: { main: {}, liar: { lies: { noAccount: 1, noStatus: 1, noTransaction: 1, hiddenSlots: 1 } } },
    });
    const { chain, rpc } = world;
    const signature = await world.give(5);
    chain.advance(40);
    const said = async (node: typeof rpc) => ({
      status: (await node.ask('getSignatureStatuses', [signature])).value[0]?.confirmationStatus,
      transaction: (await node.ask('getTransaction', signature)) !== null,
      account: (await node.ask('getAccountInfo', bob.address, { encoding: 'base64' })).value !== null,
      listed: (await node.ask('getSignaturesForAddress', bob.address)).length,
    });
    expect(await said(rpc)).toEqual({ status: 'finalized', transaction: true, account: true, listed: 1 });
    expect(await said(world.node('liar'))).toEqual({
      status: undefined,
      transaction: false,
      account: false,
      listed: 0,
    });
  });

  it('leaves out all signatures of a slot, always the same slots', async () => {
    world = await fakeWorld({ nodes: { main: {}, liar: { lies: { hiddenSlots: 0.5 } } } });
    const { chain } = world;
    const sent: string[] = [];
    for (let turn = 0; turn < 12; turn++) {
      sent.unshift(await world.give(1 + turn));
      chain.advance();
    }
    chain.advance(40);
    const whole = await world.rpc.ask('getSignaturesForAddress', bob.address);
    const holed = await world.node('liar').ask('getSignaturesForAddress', bob.address);
    expect(signaturesOf(whole)).toEqual(sent);
    expect(holed.length).toBeGreaterThan(0);
    expect(holed.length).toBeLessThan(12);
    expect(await world.node('liar').ask('getSignaturesForAddress', bob.address)).toEqual(holed);
    expect(await world.node('liar').ask('getTransaction', sent[0])).not.toBeNull();
  });

  it('calls final what is not, or denies what is only confirmed', async () => {
    world = await fakeWorld({
      nodes: {
        main: {},
        hasty: { lies: { finalTooEarly: true } },
        denier: { lies: { deniesConfirmed: true } },
      },
    });
    const signature = await world.give(5);
    world.chain.advance(2);
    const status = async (name: string) =>
      (await world.node(name).ask('getSignatureStatuses', [signature])).value[0];
    expect(await status('main')).toMatchObject({ confirmationStatus: 'confirmed' });
    expect(await status('hasty')).toMatchObject({ confirmationStatus: 'finalized', confirmations: null });
    expect(await status('denier')).toBeNull();
    expect(await world.node('hasty').ask('getTransaction', signature)).not.toBeNull();
    expect(await world.node('denier').ask('getTransaction', signature, CONFIRMED)).toBeNull();
    world.chain.fork(2);
    world.chain.fault({ lost: 1 });
    world.chain.advance(40);
    expect(await status('denier')).toEqual(await status('main'));
  });

  it('that pruned its history forgets signatures and keeps accounts', async () => {
    world = await fakeWorld();
    const { chain, rpc } = world;
    const early = await world.give(5);
    chain.advance(2);
    const kept = await world.give(6);
    chain.advance(50);
    const { slot } = (await rpc.ask('getTransaction', kept)) as { slot: number };
    chain.nodes.main?.fault({ historyFrom: slot });
    const deep = { searchTransactionHistory: true };
    const { value } = await rpc.ask('getSignatureStatuses', [early, kept], deep);
    expect(value).toEqual([null, expect.objectContaining({ slot })]);
    expect(await rpc.ask('getTransaction', early)).toBeNull();
    expect(signaturesOf(await rpc.ask('getSignaturesForAddress', bob.address))).toEqual([kept]);
    expect(await rpc.ask('getSignaturesForAddress', bob.address, { before: early })).toEqual([]);
    expect(await rpc.ask('getFirstAvailableBlock')).toBe(slot);
    expect((await rpc.ask('getAccountInfo', bob.address)).value.lamports).toBe(1_000_000_011);
  });

  it('forgets old statuses unless it is asked to look into its history', async () => {
    world = await fakeWorld();
    const signature = await world.give(5);
    world.chain.advance(400);
    expect(await world.commitment(signature)).toBeUndefined();
    const { value } = await world.rpc.ask('getSignatureStatuses', [signature], {
      searchTransactionHistory: true,
    });
    expect(value[0]).toMatchObject({ confirmationStatus: 'finalized' });
  });

  it('can be of another chain', async () => {
    world = await fakeWorld({
      nodes: { main: {}, other: { genesisHash: 'Wrong1111111111111111111111111111111111111' } },
    });
    expect(await world.rpc.ask('getGenesisHash')).toBe(world.chain.genesisHash);
    expect(await world.node('other').ask('getGenesisHash')).toMatch(/^Wrong/);
  });
});

describe('answers', () => {
  it('of a batch may come in another order', async () => {
    world = await fakeWorld({ nodes: { main: { answers: { reversed: { chance: 1 } } } } });
    const { text } = await world.rpc.post([ASKED, { ...ASKED, id: 2, method: 'getHealth' }]);
    expect(JSON.parse(text).map(({ id }: { id: number }) => id)).toEqual([2, 1]);
  });

  it('say that a node is behind, which then checks no transaction', async () => {
    world = await fakeWorld({ nodes: { main: { behind: 150 } } });
    const behind = { code: -32005, message: 'Node is behind by 150 slots', data: { numSlotsBehind: 150 } };
    expect(await world.rpc.refused('getHealth')).toEqual(behind);
    await expect(world.give(5)).rejects.toEqual(behind);
    expect(await world.give(5, { skipPreflight: true })).toBeTruthy();
  });

  it('are late, refused, broken, garbage, huge, elsewhere, cut off or never', async () => {
    world = await fakeWorld({ nodes: { main: {}, second: {} } });
    const { chain, rpc } = world;
    const { main, second } = chain.nodes;
    const under = async (answers: object) => {
      main?.fault({ answers });
      return rpc.post(ASKED);
    };
    const refused = await under({ tooMany: { chance: 1, retryAfter: 3 } });
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '3']);
    expect(await under({ broken: { chance: 1, status: 503 } })).toMatchObject({ status: 503 });
    const garbage = await under({ garbage: { chance: 1 } });
    expect(garbage.status).toBe(200);
    expect(() => JSON.parse(garbage.text)).toThrow();
    const huge = await under({ huge: { chance: 1, bytes: 5_000_000 } });
    expect(huge.text.length).toBeGreaterThan(5_000_000);
    expect(JSON.parse(huge.text).result).toBe(8);
    const elsewhere = await under({ redirect: { chance: 1, to: second?.rpcUrl } });
    expect([elsewhere.status, elsewhere.headers.get('location')]).toEqual([307, second?.rpcUrl]);
    await expect(under({ cut: { chance: 1, when: 'before' } })).rejects.toThrow();
    const began = performance.now();
    expect((await under({ late: { chance: 1, ms: [150, 200] } })).status).toBe(200);
    expect(performance.now() - began).toBeGreaterThanOrEqual(149);
    main?.fault({ answers: { hang: { chance: 1 } } });
    const patience = {
      method: 'POST',
      body: '{}',
      headers: { 'content-type': 'application/json' },
      signal: AbortSignal.timeout(200),
    };
    await expect(fetch(rpc.url(), patience)).rejects.toThrow(/timeout/);
    main?.fault({ apiKey: 'secret' });
    expect((await rpc.post(ASKED)).status).toBe(401);
    const withKey = await fetch(`${rpc.url()}/?api-key=secret`, {
      method: 'POST',
      body: JSON.stringify(ASKED),
      headers: { 'content-type': 'application/json' },
    });
    expect(withKey.status).toBe(200);
    expect(main?.asked.get('getSlot')).toBeGreaterThan(5);
  });

  it('that are cut off after the deed leave the transaction on its way', async () => {
    world = await fakeWorld();
    const cut = { chance: 1, when: 'after' as const, methods: ['sendTransaction'] };
    world.chain.nodes.main?.fault({ answers: { cut } });
    await expect(world.give(5)).rejects.toThrow();
    world.chain.advance();
    expect(world.chain.truth.landed('processed')).toEqual({ count: 1, failed: 0 });
  });

  it('go wrong for the methods that are named, and for no others', async () => {
    world = await fakeWorld({
      nodes: { main: { answers: { broken: { chance: 1, status: 500, methods: ['getTransaction'] } } } },
    });
    expect((await world.rpc.post(ASKED)).status).toBe(200);
    expect((await world.rpc.post({ ...ASKED, method: 'getTransaction' })).status).toBe(500);
  });

  it('say the priority fee that they are told to', async () => {
    world = await fakeWorld();
    await world.give(5);
    world.chain.advance();
    const slot = world.chain.slot();
    expect(await world.rpc.ask('getRecentPrioritizationFees', [bob.address])).toEqual([
      { slot, prioritizationFee: 0 },
    ]);
    world.chain.nodes.main?.fault({ prioritizationFee: 5_000_000 });
    expect(await world.rpc.ask('getRecentPrioritizationFees', [bob.address])).toEqual([
      { slot, prioritizationFee: 5_000_000 },
    ]);
  });
});

describe('notifications', () => {
  async function slotsHeard(notifications: object, slots = 40): Promise<number[]> {
    world = await fakeWorld({ nodes: { main: { notifications } } });
    const socket = await rawSocket(world.chain.wsUrl);
    await socket.ask('slotSubscribe');
    world.chain.advance(slots);
    // Answers come after all that was said before them.
    await socket.refused('nonsense');
    socket.close();
    await world.chain.stop();
    return socket.heard
      .filter((one) => one.method === 'slotNotification')
      .map((one) => one.params.result.slot);
  }
  const all = Array.from({ length: 40 }, (_, i) => 41 + i);

  it('come once and in order where nothing is wrong', async () => {
    expect(await slotsHeard({})).toEqual(all);
  });

  it('are dropped, doubled, swapped, or never come', async () => {
    const some = await slotsHeard({ drop: 0.5 });
    expect(some.length).toBeGreaterThan(0);
    expect(some.length).toBeLessThan(40);
    expect(await slotsHeard({ double: 1 })).toEqual(all.flatMap((slot) => [slot, slot]));
    const swapped = await slotsHeard({ swap: 0.3 });
    expect(swapped).not.toEqual(all);
    expect(swapped.toSorted((a, b) => a - b)).toEqual(all.slice(0, swapped.length));
    expect(await slotsHeard({ silent: true })).toEqual([]);
    expect(await slotsHeard({ late: { chance: 1, ms: [5_000, 5_000] } })).toEqual([]);
  });

  it('follow a node that lags, and a fork', async () => {
    world = await fakeWorld({ nodes: { main: { lagSlots: 5 } }, faults: { lost: 0, back: [0, 0] } });
    const socket = await rawSocket(world.chain.wsUrl);
    await socket.ask('slotSubscribe');
    await socket.ask('logsSubscribe', { mentions: [bob.address] }, CONFIRMED);
    const signature = await world.give(5);
    world.chain.advance(3);
    world.chain.fork(3);
    world.chain.advance(10);
    const slot = await socket.notified('slot', (result) => result.slot === 44);
    expect(slot.result).toMatchObject({ parent: 40 });
    const logs = socket.heard.filter((one) => one.method === 'logsNotification');
    expect(logs.map((one) => one.params.result.value.signature)).toEqual([signature]);
    socket.close();
  });

  it('are told again of what a fork moved into another block', async () => {
    world = await fakeWorld({ faults: { lost: 0, back: [0, 0] } });
    const socket = await rawSocket(world.chain.wsUrl);
    await socket.ask('logsSubscribe', { mentions: [bob.address] }, CONFIRMED);
    await world.give(5);
    world.chain.advance(3);
    world.chain.fork(3);
    world.chain.advance(3);
    await socket.refused('nonsense');
    const slots = socket.heard
      .filter((one) => one.method === 'logsNotification')
      .map((one) => one.params.result.context.slot);
    expect(slots).toEqual([41, 44]);
    socket.close();
  });

  it('can be of anything, and sockets break', async () => {
    world = await fakeWorld();
    const socket = await rawSocket(world.chain.wsUrl);
    world.chain.nodes.main?.say({
      jsonrpc: '2.0',
      method: 'logsNotification',
      params: { result: 1, subscription: 99 },
    });
    expect(await socket.notified('logs')).toEqual({ result: 1, subscription: 99 });
    world.chain.nodes.main?.cut();
    await expect(socket.ask('slotSubscribe')).rejects.toThrow('closed');
  });
});
