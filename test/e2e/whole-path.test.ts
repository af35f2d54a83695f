import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { Connection, PublicKey } from '@solana/web3.js';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { accountSizes, decodeTicket } from '../../programs-client/accounts.ts';
import { toAddress } from '../../programs-client/addresses.ts';
import { verifyTicket } from '../../programs-client/verify-ticket.ts';
import type { Verdict } from '../../src/domain/check-in/schema.ts';
import type { EventView } from '../../src/domain/events/schema.ts';
import type { OrderAnswer } from '../../src/domain/orders/schema.ts';
import type { TicketView } from '../../src/domain/tickets/schema.ts';
import type { TransferView } from '../../src/domain/transfers/schema.ts';
import { findPort } from '../../src/main/embedded/find-port.ts';
import type { Role } from '../../src/platform/actor.ts';
import { waitFor } from '../../src/platform/retry.ts';
import { deleteTopology } from '../support/delete-topology.ts';
import { type Child, runChild } from '../support/run-child.ts';
import { sampleEvent, samplePurchase, sampleTicketType } from '../support/samples.ts';
import { CHAIN_PATIENCE as PATIENCE, startTestChain, type TestChain } from '../support/test-chain.ts';
import { identity, issueToken, LOCAL_PROGRAM_ID } from '../support/test-context.ts';
import { openTestDatabase, type TestDatabase } from '../support/test-database.ts';

type Chain = {
  account: string;
  mint: string | null;
  owner: string | null;
  syncStatus: string;
  transactions: {
    purpose: string;
    signature: string;
    status: string;
    attempt: number;
    confirmationCount: number;
  }[];
  log: { kind: string; signature: string; commitment: string; outcome: string }[];
};

const amqp = inject('amqp');
const redis = inject('redis');
/** On a real validator final comes twelve seconds later. */
const AS_CONFIRMED = { commitment: 'confirmed' } as const;

describe.skipIf(amqp === null || redis === null)(
  `the four processes, from the sale to the gate${amqp && redis ? '' : ' (left out: needs RabbitMQ and Redis)'}`,
  () => {
    let database: TestDatabase;
    let chain: TestChain;
    let connection: Connection;
    let folder: string;
    let url: string;
    let env: Record<string, string>;
    let tenantId: string;
    let adminKey: string;
    const children = new Map<string, Child>();

    const start = (name: string, script: string, extra: Record<string, string> = {}): Child => {
      const child = runChild(script, { ...env, ...extra });
      children.set(name, child);
      return child;
    };

    beforeAll(async () => {
      [database, chain, folder] = await Promise.all([
        openTestDatabase(),
        startTestChain(),
        mkdtemp(`${tmpdir()}/tessera-e2e-`),
      ]);
      connection = new Connection(chain.rpcUrl, 'confirmed');
      const port = await findPort(18_080);
      const space = `test-${randomBytes(4).toString('hex')}`;
      url = `http://127.0.0.1:${port}`;
      env = {
        NODE_ENV: 'test',
        LOG_LEVEL: 'info',
        HTTP_PORT: String(port),
        PUBLIC_URL: url,
        DATABASE_URL: database.url('tessera_app'),
        DATABASE_RELAY_URL: database.url('tessera_relay'),
        DATABASE_LISTENER_URL: database.url('tessera_listener'),
        AMQP_URL: amqp ?? '',
        AMQP_NAMESPACE: `${space}.`,
        REDIS_URL: redis ?? '',
        REDIS_PREFIX: `${space}:`,
        CHAIN_RPC_URL: chain.rpcUrl,
        CHAIN_WS_URL: chain.wsUrl,
        CHAIN_PROGRAM_ID: LOCAL_PROGRAM_ID,
        CHAIN_AIRDROP_SOL: '100',
        SIGNER_KEY_FILE: `${folder}/signer.json`,
        MAIL_FOLDER: `${folder}/mail`,
        QR_MASTER_KEYS: `1:${randomBytes(32).toString('base64')}`,
        ...identity,
      };
      const setup = runChild('src/main/setup-chain.ts', env);
      if ((await setup.ended) !== 0) throw new Error(setup.output());
      const opened = runChild('src/main/create-tenant.ts', env, ['End to end']);
      if ((await opened.ended) !== 0) throw new Error(opened.output());
      [, tenantId = '', adminKey = ''] = /tenant (\S+)\s+key\s+(\S+)/.exec(opened.output()) ?? [];
      start('api', 'src/main/api.ts');
      start('background', 'src/main/background.ts');
      start('listener', 'listener/main.ts');
    });

    afterAll(async () => {
      const codes = await Promise.all([...children.values()].map((child) => child.stop()));
      chain.stop();
      await Promise.all([
        database.drop(),
        rm(folder, { recursive: true }),
        amqp && deleteTopology(amqp, env.AMQP_NAMESPACE ?? ''),
      ]);
      expect(codes, 'every process drains and exits 0').toEqual(codes.map(() => 0));
    });

    async function call<T>(token: string, method: string, path: string, body?: unknown): Promise<T> {
      const response = await fetch(`${url}/api${path}`, {
        method,
        headers: {
          authorization: `Bearer ${token}`,
          'content-type': 'application/json',
          'idempotency-key': randomUUID(),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const answer = await response.json();
      if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${JSON.stringify(answer)}`);
      return answer as T;
    }

    async function until<T>(what: string, probe: () => Promise<T | undefined | null | false>): Promise<T> {
      const value = await waitFor(probe, PATIENCE);
      if (value !== undefined) return value;
      const outputs = [...children].map(([name, child]) => `--- ${name}\n${child.output().slice(-3_000)}`);
      throw new Error(`${what} did not come\n${outputs.join('\n')}`);
    }

    const person = (subject: string, role: Role = 'buyer'): Promise<string> =>
      issueToken({ tenantId, subject, role });
    const chainOf = (id: string) => call<Chain>(adminKey, 'GET', `/tickets/${id}/chain`);

    async function sell(buyer: string, quantity = 1): Promise<{ event: EventView; tickets: string[] }> {
      const event = await call<EventView>(
        adminKey,
        'POST',
        '/events',
        sampleEvent({ ticketTypes: [sampleTicketType()] }),
      );
      const [type] = event.ticketTypes;
      if (!type) throw new Error('no ticket type');
      const order = await call<OrderAnswer>(
        buyer,
        'POST',
        '/tickets/purchase',
        samplePurchase(type, { quantity }),
      );
      return { event, tickets: order.tickets.map((ticket) => ticket.id) };
    }

    async function scan(qr: string, eventId: string): Promise<Verdict> {
      const gate = await person('gate-1', 'scanner');
      return call<Verdict>(gate, 'POST', '/tickets/validate', {
        qr,
        eventId,
        nonce: randomUUID(),
        policy: 'strict',
      });
    }

    async function resolves(signature: string): Promise<void> {
      const found = await connection.getTransaction(signature, {
        commitment: 'confirmed',
        maxSupportedTransactionVersion: 0,
      });
      expect(found?.meta?.err, signature).toBeNull();
      const programs = found?.transaction.message.staticAccountKeys.map((key) => key.toBase58());
      expect(programs).toContain(LOCAL_PROGRAM_ID);
    }

    it('becomes ready when every worker runs, and says which is missing before', async () => {
      const ready = async () =>
        (await fetch(`${url}/health/ready`)).json() as Promise<{
          status: string;
          checks: Record<string, { ok: boolean }>;
        }>;
      await until('the API', () =>
        fetch(`${url}/health/live`).then(
          (response) => response.ok,
          () => false,
        ),
      );
      await until('background and listener', async () => {
        const { checks } = await ready();
        return checks.background?.ok && checks.listener?.ok;
      });
      expect(await ready()).toMatchObject({ status: 'not_ready', checks: { 'mint-worker': { ok: false } } });
    });

    it('mints exactly once when the worker dies between keeping and sending a transaction', async () => {
      const doomed = start('mint-worker', 'src/main/mint-worker.ts', { FAILPOINTS: 'mint.prepared=kill' });
      const { tickets } = await sell(await person('carol'));
      const [ticket = ''] = tickets;
      expect(await doomed.ended).toBe('SIGKILL');
      const cut = await chainOf(ticket);
      expect(cut.transactions.map(({ purpose, status }) => [purpose, status])).toEqual([
        ['mint', 'prepared'],
      ]);
      expect(cut.mint).toBeNull();

      start('mint-worker', 'src/main/mint-worker.ts');
      const chainState = await until('the mint', async () => {
        const state = await chainOf(ticket);
        return state.syncStatus === 'finalized' && state;
      });
      expect(chainState.transactions).toMatchObject([{ purpose: 'mint', status: 'finalized', attempt: 1 }]);
      expect(chainState.log.map(({ kind }) => kind)).toEqual(['ticket_minted']);
      expect(await countMints(connection, chainState)).toBe(1);
    });

    it('walks an order from the sale to the gate, every step of it on the chain', async () => {
      const alice = await person('alice');
      const bob = await person('bob');
      const { event, tickets } = await sell(alice, 2);
      const [scanned = '', given = ''] = tickets;

      const states = await until('the mints', async () => {
        const both = await Promise.all([chainOf(scanned), chainOf(given)]);
        return both.every(({ mint, log }) => mint && log.length > 0) && both;
      });
      for (const state of states) {
        for (const { signature } of [...state.transactions, ...state.log]) await resolves(signature);
        expect(state.log).toMatchObject([{ kind: 'ticket_minted', outcome: 'applied' }]);
        expect(state.transactions).toMatchObject([
          { purpose: 'mint', status: expect.stringMatching(/confirmed|finalized/) },
        ]);
      }
      const [first] = states;
      const mint = first?.mint ?? '';
      const verified = await verifyTicket(connection, toAddress(mint), AS_CONFIRMED);
      expect(verified).toMatchObject({ status: 'active', holder: first?.owner });
      const account = await connection.getAccountInfo(new PublicKey(mint));
      const ticket = await call<TicketView>(alice, 'GET', `/tickets/${scanned}`);
      for (const text of [event.title, ticket.ticketNumber, `${url}/api/nft/${mint}/metadata.json`]) {
        expect(account?.data.includes(text), `the mint carries ${text}`).toBe(true);
      }
      const metadata = await (await fetch(`${url}/api/nft/${mint}/metadata.json`)).json();
      expect(metadata).toMatchObject({ name: `${event.title} ${ticket.ticketNumber}`, symbol: 'TICKET' });

      const { code } = await call<{ code: string }>(alice, 'GET', `/tickets/${scanned}/qr`);
      expect(await scan(code, event.id)).toMatchObject({
        status: 'ok',
        chain: { mode: 'live', owner: first?.owner },
      });
      expect(await scan(code, event.id)).toMatchObject({ status: 'error', reason: 'already_used' });

      const { code: old } = await call<{ code: string }>(alice, 'GET', `/tickets/${given}/qr`);
      const wish = await call<TransferView>(alice, 'POST', `/tickets/${given}/transfer`, { toUserId: 'bob' });
      const transferred = await until('the transfer', async () => {
        const transfer = await call<TransferView>(alice, 'GET', `/transfers/${wish.id}`);
        return transfer.status === 'completed' && chainOf(given);
      });
      expect(transferred.owner).not.toBe(states[1]?.owner);
      expect(await verifyTicket(connection, toAddress(transferred.mint ?? ''), AS_CONFIRMED)).toMatchObject({
        holder: transferred.owner,
      });
      for (const { signature } of transferred.transactions) await resolves(signature);
      expect(await scan(old, event.id)).toMatchObject({ status: 'error', reason: 'transferred' });
      const { code: fresh } = await call<{ code: string }>(bob, 'GET', `/tickets/${given}/qr`);
      expect(await scan(fresh, event.id)).toMatchObject({
        status: 'ok',
        chain: { mode: 'live', owner: transferred.owner },
      });

      await until('the check-ins on chain', async () => {
        const states = await Promise.all([chainOf(scanned), chainOf(given)]);
        return states.every(({ log }) => log.some(({ kind }) => kind === 'ticket_checked_in'));
      });
      expect(await verifyTicket(connection, toAddress(mint), AS_CONFIRMED)).toMatchObject({
        status: 'checked_in',
      });
    });

    it('burns the NFT of a revoked ticket', async () => {
      const { event, tickets } = await sell(await person('dave'));
      const [ticket = ''] = tickets;
      const { mint } = await until('the mint', async () => {
        const state = await chainOf(ticket);
        return state.mint !== null && state;
      });
      const { code } = await call<{ code: string }>(await person('dave'), 'GET', `/tickets/${ticket}/qr`);
      await call(adminKey, 'POST', `/tickets/${ticket}/revoke`, { reason: 'fraud' });
      expect(await scan(code, event.id)).toMatchObject({ status: 'error', reason: 'revoked' });
      await until('the revocation on chain', async () =>
        (await chainOf(ticket)).log.some(({ kind }) => kind === 'ticket_revoked'),
      );
      expect(await connection.getAccountInfo(new PublicKey(mint ?? ''))).toBeNull();
    });

    it('moves the purchase record, writes the mails and counts', async () => {
      const { rows } = await database.owner.query(
        'select status, count(*)::integer as count from event_ticket_transactions where tenant_id = $1 group by status',
        [tenantId],
      );
      expect(rows).toEqual([{ status: 'completed', count: 3 }]);
      expect((await readdir(`${folder}/mail`)).length).toBeGreaterThan(3);
      const { rows: counted } = await database.owner.query(
        `select sum(count)::integer as purchased from event_statistics where kind = 'ticket.purchased'`,
      );
      expect(counted[0].purchased).toBe(3);
    });
  },
);

/** How many tickets the event has on the chain, each with a supply of one. */
async function countMints(connection: Connection, state: Chain): Promise<number> {
  const ticket = await connection.getAccountInfo(new PublicKey(state.account));
  const event = decodeTicket(ticket?.data ?? Buffer.alloc(0)).event;
  const tickets = await connection.getProgramAccounts(new PublicKey(LOCAL_PROGRAM_ID), {
    filters: [{ dataSize: accountSizes.ticket }, { memcmp: { offset: 10, bytes: event } }],
  });
  const supply = await connection.getTokenSupply(new PublicKey(state.mint ?? ''));
  return tickets.length * Number(supply.value.amount);
}
