import { PublicKey, TransactionMessage, VersionedTransaction } from '@solana/web3.js';
import { afterEach, expect, it } from 'vitest';
import { MalformedTransaction, parseTransaction } from '../support/fake-chain/parse-transaction.ts';
import { Runtime } from '../support/fake-chain/runtime.ts';
import { actor } from './program/support/actors.ts';
import { PROGRAM, PROGRAM_FILE } from './program/support/chain.ts';
import { alice, bob, type FakeWorld, fakeWorld } from './support/fake-world.ts';
import { pay, reached, SOL, send, signed } from './support/send-raw.ts';

const ROUNDS = 5_000;
const TABLES = 'AddressLookupTab1e1111111111111111111111111';

let world: FakeWorld;
afterEach(() => world.chain.stop());

/** A lookup table that was made at slot 0 and never ends. */
function tableOf(...addresses: string[]): Buffer {
  const head = Buffer.alloc(56);
  head.writeUInt32LE(1, 0);
  head.writeBigUInt64LE(2n ** 64n - 1n, 4);
  return Buffer.concat([head, ...addresses.map((one) => new PublicKey(one).toBytes())]);
}

const table = actor('a lookup table').address;

/** Alice pays Bob, whose address stands in the table alone. */
function payByTable(blockhash: string): Buffer {
  const addresses = [new PublicKey(bob.address)];
  const state = {
    deactivationSlot: 2n ** 64n - 1n,
    lastExtendedSlot: 0,
    lastExtendedSlotStartIndex: 0,
    addresses,
  };
  const known = { key: new PublicKey(table), state, isActive: () => true };
  const message = new TransactionMessage({
    payerKey: new PublicKey(alice.address),
    recentBlockhash: blockhash,
    instructions: [pay(alice, bob, SOL)],
  }).compileToV0Message([known]);
  const signature = alice.sign(message.serialize());
  return Buffer.from(new VersionedTransaction(message, [signature]).serialize());
}

it('looks up addresses that stand in a table, and tells them', async () => {
  world = await fakeWorld();
  const { chain, rpc } = world;
  chain.plant(table, { lamports: 10_000_000n, owner: TABLES, data: tableOf(bob.address), executable: false });
  const { blockhash } = (await rpc.ask('getLatestBlockhash', { commitment: 'confirmed' })).value;
  const signature = await send(rpc, payByTable(blockhash).toString('base64'));
  chain.advance(2);
  await reached(rpc, [signature], 'confirmed');
  const options = { commitment: 'confirmed', maxSupportedTransactionVersion: 0 };
  const { meta, transaction } = await rpc.ask('getTransaction', signature, options);
  expect(meta.loadedAddresses).toEqual({ writable: [bob.address], readonly: [] });
  expect(transaction.message.accountKeys).not.toContain(bob.address);
  expect(meta.postBalances.at(-1) - meta.preBalances.at(-1)).toBe(SOL);
  expect(await rpc.ask('getSignaturesForAddress', bob.address, { commitment: 'confirmed' })).toMatchObject([
    { signature },
  ]);
  chain.fork(2);
  expect((await rpc.ask('getBalance', bob.address, { commitment: 'processed' })).value).toBe(SOL);
});

it('gives the runtime nothing that would end the process, whatever bytes come', async () => {
  world = await fakeWorld();
  const runtime = new Runtime({ [PROGRAM]: PROGRAM_FILE });
  const owner = '11111111111111111111111111111111';
  runtime.setAccount(alice.address, {
    lamports: 10n ** 12n,
    owner,
    data: Buffer.alloc(0),
    executable: false,
  });
  runtime.setAccount(table, {
    lamports: 10n ** 7n,
    owner: TABLES,
    data: tableOf(bob.address),
    executable: false,
  });
  const plain = await signed(world.rpc, [pay(alice, bob, SOL)], [alice]);
  const sound = [Buffer.from(plain, 'base64'), payByTable('1'.repeat(32))];
  const random = generator(20_260);
  let malformed = 0;
  let ran = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const bytes = mutate(Buffer.from(sound[round % sound.length] ?? ''), random);
    try {
      const transaction = parseTransaction(bytes);
      runtime.simulate(transaction, random(2) === 0);
      runtime.run(transaction, false);
      ran++;
    } catch (error) {
      if (!(error instanceof MalformedTransaction)) throw error;
      malformed++;
    }
  }
  expect(malformed).toBeGreaterThan(ROUNDS / 20);
  expect(ran).toBeGreaterThan(ROUNDS / 20);
});

/** Up to four bytes changed, and now and then cut short or drawn out. */
function mutate(bytes: Buffer, random: (below: number) => number): Buffer {
  for (let changes = random(4); changes >= 0; changes--) {
    bytes[random(bytes.length)] = random(2) === 0 ? random(8) : random(256);
  }
  if (random(10) === 0) return bytes.subarray(0, random(bytes.length));
  return random(10) === 0 ? Buffer.concat([bytes, Buffer.alloc(random(40), random(256))]) : bytes;
}

function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}
