import { Connection } from '@solana/web3.js';
import { afterEach, describe, expect, it } from 'vitest';
import { toAddress } from '../../programs-client/addresses.ts';
import { decodeEntries } from '../../programs-client/decode-entries.ts';
import { createEvent } from '../../programs-client/instructions/create-event.ts';
import { initConfig } from '../../programs-client/instructions/init-config.ts';
import { registerOrganizer } from '../../programs-client/instructions/register-organizer.ts';
import { transferTicket } from '../../programs-client/instructions/transfer-ticket.ts';
import { ticketAddresses } from '../../programs-client/pdas.ts';
import { PROGRAM } from './program/support/chain.ts';
import { sale } from './program/support/scenarios.ts';
import { byAcme } from './program/support/special-attacks.ts';
import { id16, mintOf, people, SHOW } from './program/support/world.ts';
import { type FakeWorld, fakeWorld } from './support/fake-world.ts';
import type { Json } from './support/raw-rpc.ts';
import { SOL, send, signed } from './support/send-raw.ts';

const CONFIRMED = { commitment: 'confirmed' };
const READS_ALL = { ...CONFIRMED, maxSupportedTransactionVersion: 1 };
const { payer, admin, acme, gate, vault, treasury, royalties } = people;

let world: FakeWorld;
afterEach(() => world.chain.stop());

/** A chain on which Acme sells tickets. */
async function openShow(): Promise<void> {
  world = await fakeWorld({ faults: { lost: 1 } });
  for (const one of Object.values(people)) world.chain.fund(one.address, 100 * SOL);
  const by = { payer: payer.address, admin: admin.address };
  const organizer = { tenantId: id16(1), authority: acme.address, feeRecipient: royalties.address };
  const event = {
    ...byAcme,
    payer: payer.address,
    eventId: id16(1),
    gateAuthority: gate.address,
    rentRecipient: vault.address,
    maxSupply: 100,
    resaleCapBps: 11_000,
    transferPolicy: 'open' as const,
    keepCollectible: false,
  };
  const start = [
    initConfig(PROGRAM, { ...by, treasury: treasury.address, protocolFeeBps: 250 }),
    registerOrganizer(PROGRAM, { ...organizer, ...by, resaleFeeBps: 1_000 }),
  ];
  await send(world.rpc, await signed(world.rpc, start, [payer, admin]));
  world.chain.advance(2);
  await send(world.rpc, await signed(world.rpc, [createEvent(PROGRAM, event)], [payer, acme]));
  world.chain.advance(40);
}

async function mint(index: number): Promise<string> {
  const instruction = mintOf(SHOW, index, people.alice.address);
  return send(world.rpc, await signed(world.rpc, [instruction], [payer, acme]));
}

async function transfer(index: number): Promise<string> {
  const on = { ...sale, ...byAcme, event: SHOW };
  const give = { ...on, index, holder: people.alice.address, to: people.bob.address };
  return send(world.rpc, await signed(world.rpc, [transferTicket(PROGRAM, give)], [payer, people.alice]));
}

describe('the truth', () => {
  it('knows tickets, holders and mints at each commitment', async () => {
    await openShow();
    const { ticket } = ticketAddresses(PROGRAM, SHOW, 1);
    const { truth } = world.chain;
    await mint(1);
    await mint(2);
    expect(truth.tickets('processed')).toEqual([]);
    world.chain.advance();
    expect(truth.tickets('processed').map(({ address }) => address)).toContain(ticket);
    expect(truth.holder(ticket)).toBeUndefined();
    expect(truth.holder(ticket, 'processed')).toBe(people.alice.address);
    world.chain.advance(40);
    await transfer(1);
    world.chain.advance();
    expect(truth.holder(ticket)).toBe(people.alice.address);
    expect(truth.holder(ticket, 'processed')).toBe(people.bob.address);
    world.chain.advance(40);
    expect(truth.holder(ticket)).toBe(people.bob.address);
    expect([...truth.mints().values()]).toEqual([1, 1]);
    expect(truth.entries().map(({ kind }) => kind)).toEqual([
      'config_changed',
      'organizer_changed',
      'event_changed',
      'ticket_minted',
      'ticket_minted',
      'ticket_transferred',
    ]);
    expect(truth.account(ticket)?.owner).toBe(PROGRAM);
    expect(truth.landed()).toEqual({ count: 5, failed: 0 });
  });

  it('is what is left after a fork: the mint is gone, the place is free, and the old owner is back', async () => {
    await openShow();
    const { chain } = world;
    await mint(1);
    chain.advance(40);
    const { ticket } = ticketAddresses(PROGRAM, SHOW, 1);
    const { ticket: second, mint: secondMint } = ticketAddresses(PROGRAM, SHOW, 2);
    await transfer(1);
    const lost = await mint(2);
    chain.advance(5);
    expect(chain.truth.holder(ticket, 'confirmed')).toBe(people.bob.address);
    expect(chain.truth.account(secondMint, 'confirmed')).toBeDefined();
    chain.fork(5);
    expect(chain.truth.holder(ticket, 'processed')).toBe(people.alice.address);
    expect(chain.truth.account(secondMint, 'processed')).toBeUndefined();
    expect(chain.truth.account(second, 'processed')).toBeUndefined();
    expect(
      (await world.rpc.ask('getAccountInfo', second, { encoding: 'base64', commitment: 'processed' })).value,
    ).toBeNull();
    const again = await mint(2);
    expect(again).not.toBe(lost);
    chain.advance(40);
    expect([...chain.truth.mints().values()]).toEqual([1, 1]);
    expect(chain.truth.tickets()).toHaveLength(2);
  });

  it('counts what the program refused among what landed, and no mint of it', async () => {
    await openShow();
    await mint(1);
    world.chain.advance(2);
    const twice = await signed(world.rpc, [mintOf(SHOW, 1, people.bob.address)], [payer, acme]);
    const signature = await send(world.rpc, twice, { skipPreflight: true });
    world.chain.advance(40);
    const { value } = await world.rpc.ask('getSignatureStatuses', [signature]);
    expect(value[0]).toMatchObject({ err: { InstructionError: [0, { Custom: 6012 }] } });
    expect(world.chain.truth.landed()).toEqual({ count: 4, failed: 1 });
    expect([...world.chain.truth.mints().values()]).toEqual([1]);
  });
});

describe('strangers', () => {
  const listed = async (): Promise<string[]> => {
    const list = await world.rpc.ask('getSignaturesForAddress', PROGRAM, CONFIRMED);
    return list.map(({ signature }: { signature: string }) => signature);
  };

  it('name the program without calling it, and fail on purpose', async () => {
    world = await fakeWorld();
    const { chain, rpc } = world;
    const named = chain.strangers.name(PROGRAM, { count: 20 });
    const failed = chain.strangers.name(PROGRAM, { count: 5, fails: true });
    chain.advance(3);
    expect((await listed()).toSorted()).toEqual([...named, ...failed].toSorted());
    const told = await rpc.ask('getTransaction', named[0], CONFIRMED);
    expect(told.transaction.message.accountKeys).toContain(PROGRAM);
    expect(decodeEntries(toAddress(PROGRAM), told)).toEqual([]);
    expect((await rpc.ask('getTransaction', failed[0], CONFIRMED)).meta.err).not.toBeNull();
    expect(chain.truth.landed('processed')).toEqual({ count: 25, failed: 5 });
  });

  it('send version 1, which is kept from who asks for less and can be read by who asks for it', async () => {
    world = await fakeWorld();
    const signature = world.chain.strangers.versionOne(PROGRAM);
    world.chain.advance(3);
    expect(await listed()).toEqual([signature]);
    const refusal = await world.rpc.refused('getTransaction', signature, {
      ...CONFIRMED,
      maxSupportedTransactionVersion: 0,
    });
    expect(refusal).toEqual({
      code: -32015,
      message:
        'Transaction version (1) is not supported by the requesting client. Please try the request again ' +
        'with the following configuration parameter: "maxSupportedTransactionVersion": 1',
    });
    const connection = new Connection(world.chain.rpcUrl, 'confirmed');
    const read = await connection.getTransaction(signature, { maxSupportedTransactionVersion: 1 });
    expect(read?.version).toBe(1);
    expect(read?.transaction.message.staticAccountKeys.map(String)).toContain(PROGRAM);
  });

  it('are listed and never shown', async () => {
    world = await fakeWorld();
    const signature = world.chain.strangers.ghost(PROGRAM);
    world.chain.advance(40);
    expect(await listed()).toEqual([signature]);
    expect(await world.commitment(signature)).toBe('finalized');
    expect(await world.rpc.ask('getTransaction', signature, READS_ALL)).toBeNull();
  });

  it('imitate the words of the program, which is no truth', async () => {
    await openShow();
    const real = await mint(1);
    world.chain.advance(40);
    const { meta }: Json = await world.rpc.ask('getTransaction', real, READS_ALL);
    const signature = world.chain.strangers.spoof(PROGRAM, meta.logMessages);
    world.chain.advance(40);
    const spoofed: Json = await world.rpc.ask('getTransaction', signature, READS_ALL);
    expect(spoofed.meta.logMessages).toEqual(expect.arrayContaining(meta.logMessages));
    expect([...world.chain.truth.mints().values()]).toEqual([1]);
  });

  it('survive a fork like everybody else', async () => {
    world = await fakeWorld({ faults: { lost: 0, back: [0, 0] } });
    const ghost = world.chain.strangers.ghost(PROGRAM);
    world.chain.advance();
    world.chain.fork(1);
    world.chain.advance(3);
    expect(await listed()).toEqual([ghost]);
  });
});

it('takes an account that no transaction could make', async () => {
  world = await fakeWorld();
  const data = Buffer.from('a ticket that is none');
  const { address } = people.mallory;
  world.chain.plant(address, { lamports: 5_000_000n, owner: PROGRAM, data, executable: false });
  const list = await world.rpc.ask('getProgramAccounts', PROGRAM, { encoding: 'base64' });
  expect(list).toMatchObject([
    { pubkey: address, account: { data: [data.toString('base64'), 'base64'], owner: PROGRAM } },
  ]);
});
