import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { Connection, PublicKey } from '@solana/web3.js';
import { accountSizes, decodeTicket } from '../../programs-client/accounts.ts';
import type { EventView } from '../../src/domain/events/schema.ts';
import type { OrderAnswer } from '../../src/domain/orders/schema.ts';
import { createTenant } from '../../src/domain/tenants/create-tenant.ts';
import { findPort } from '../../src/main/embedded/find-port.ts';
import { type Stack, startStack } from '../../src/main/embedded/start-stack.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { toTenantId, uuidOf } from '../../src/platform/ids.ts';
import { sleep } from '../../src/platform/retry.ts';
import { withTenant } from '../../src/platform/tenant-tx.ts';
import { sampleEvent, samplePurchase, sampleTicketType } from '../support/samples.ts';

/** Tickets that are bought and minted, in orders of so many, by so many buyers at once. */
const TICKETS = Number(process.env.N ?? 10_000);
const ORDER = 4;
const BUYERS = 16;
const EVENTS = 4;
const LOOK_EVERY_MS = 10_000;
/** Nothing moved for so long: it hangs. */
const PATIENCE_MS = 120_000;

type Count = { status: string; sync: string; count: number };

/**
 * `npm run faults -- embedded`: buys `N` tickets on the stack of `npm start` and waits until every one is active and
 * final. Prints how many were there every ten seconds, and ends with 1 when a ticket is missing or was minted twice.
 */
async function main(): Promise<number> {
  const folder = process.env.DATA_FOLDER ?? (await mkdtemp(`${tmpdir()}/tessera-sale-`));
  const port = process.env.HTTP_PORT ?? String(await findPort(18_700));
  const env = { ...process.env, HTTP_PORT: port, RATE_LIMIT_PER_MINUTE: '1000000', LOG_LEVEL: 'info' };
  const report = (what: string, detail = ''): void => console.log(`${what} ${detail}`);
  const stack = await startStack({ env, folder, report, signal: new AbortController().signal });
  try {
    const { tenantId, apiKey } = await createTenant(
      { db: stack.db, clock: systemClock },
      { name: 'A large sale' },
    );
    const began = performance.now();
    const selling = sell(stack, tenantId, apiKey.key).then((sold) => {
      const seconds = (performance.now() - began) / 1_000;
      console.log(`${sold} tickets sold in ${seconds.toFixed(1)} s, ${Math.round(sold / seconds)} a second`);
      return sold;
    });
    const minted = await watch(stack, tenantId, began);
    const sold = await selling;
    const seconds = (performance.now() - began) / 1_000;
    console.log(
      `${minted} of ${sold} tickets minted and final in ${seconds.toFixed(1)} s, ${(minted / seconds).toFixed(1)} a second`,
    );
    const twice = await countTwice(stack);
    console.log(`${twice} tickets minted more than once`);
    return minted === TICKETS && sold === TICKETS && twice === 0 ? 0 : 1;
  } finally {
    await stack.stop();
    if (!process.env.DATA_FOLDER) await rm(folder, { recursive: true, force: true });
  }
}

async function sell(stack: Stack, tenantId: string, adminKey: string): Promise<number> {
  const call = async <T>(token: string, path: string, body: unknown): Promise<T> => {
    const response = await fetch(`${stack.url}/api${path}`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        'idempotency-key': randomUUID(),
      },
      body: JSON.stringify(body),
    });
    const answer = await response.json();
    if (!response.ok) throw new Error(`${path}: ${response.status} ${JSON.stringify(answer)}`);
    return answer as T;
  };
  const capacity = Math.ceil(TICKETS / EVENTS / ORDER) * ORDER;
  const types = await Promise.all(
    Array.from({ length: EVENTS }, async () => {
      const event = await call<EventView>(
        adminKey,
        '/events',
        sampleEvent({ ticketTypes: [sampleTicketType({ capacity: capacity + BUYERS * ORDER })] }),
      );
      return event.ticketTypes[0] as EventView['ticketTypes'][0];
    }),
  );
  let left = TICKETS;
  let sold = 0;
  await Promise.all(
    Array.from({ length: BUYERS }, async (_, at) => {
      const token = await stack.identity.issueToken({ tenantId, subject: `buyer-${at}`, role: 'buyer' });
      const type = types[at % EVENTS] as EventView['ticketTypes'][0];
      while (left > 0) {
        const quantity = Math.min(ORDER, left);
        left -= quantity;
        const answer = await call<OrderAnswer>(
          token,
          '/tickets/purchase',
          samplePurchase(type, { quantity }),
        );
        sold += answer.tickets.length;
      }
    }),
  );
  return sold;
}

/** Prints how far it is until all are final; the number that are. */
async function watch(stack: Stack, tenantId: string, began: number): Promise<number> {
  let last = 0;
  let movedAt = performance.now();
  let lookedAt = began;
  for (;;) {
    await sleep(LOOK_EVERY_MS);
    const counts = await countTickets(stack, tenantId);
    const active = sum(counts.filter(({ status }) => status === 'active'));
    const final = sum(counts.filter(({ status, sync }) => status === 'active' && sync === 'finalized'));
    const all = sum(counts);
    const now = performance.now();
    const rate = (active - last) / ((now - lookedAt) / 1_000);
    console.log(
      `${String(Math.round((now - began) / 1_000)).padStart(5)} s  sold ${all}  active ${active}  final ${final}  ${rate.toFixed(1)} a second`,
    );
    if (active !== last || final < active) movedAt = now;
    lookedAt = now;
    last = active;
    if (final === TICKETS || now - movedAt > PATIENCE_MS) return final;
  }
}

async function countTickets(stack: Stack, tenantId: string): Promise<Count[]> {
  return withTenant(stack.db, toTenantId(tenantId), (tx) =>
    tx
      .selectFrom('tickets')
      .select(['status', 'blockchain_sync_status as sync', (eb) => eb.fn.countAll<number>().as('count')])
      .groupBy(['status', 'blockchain_sync_status'])
      .execute(),
  );
}

const sum = (counts: Count[]): number => counts.reduce((all, { count }) => all + Number(count), 0);

/** Tickets of the chain beyond one for each id. */
async function countTwice(stack: Stack): Promise<number> {
  const accounts = await new Connection(stack.rpcUrl, 'confirmed').getProgramAccounts(
    new PublicKey(stack.programId),
    { filters: [{ dataSize: accountSizes.ticket }] },
  );
  const ids = accounts.map(({ account }) => uuidOf(decodeTicket(account.data).ticketId));
  console.log(`${ids.length} ticket accounts on the chain`);
  return ids.length - new Set(ids).size;
}

process.exit(await main());
