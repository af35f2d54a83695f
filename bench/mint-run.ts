import { randomUUID } from 'node:crypto';
import { Connection, PublicKey } from '@solana/web3.js';
import { accountSizes } from '../programs-client/accounts.ts';
import { sleep } from '../src/platform/retry.ts';
import { findValidator } from '../test/support/find-validator.ts';
import { issueToken } from './support/api.ts';
import { type BenchDatabase, findServer } from './support/postgres.ts';
import { type BenchStack, startBenchStack } from './support/stack.ts';

/**
 * `TICKETS=2000 npm run bench:mint`: buys so many tickets through the API and waits until each is active and final on the
 * chain, with the four processes as in production. CHAIN=validator (the default where there is one) or embedded,
 * both at 400 ms a slot. Prints times and rates; fails when the books or the chain disagree, or TIMEOUT_S passes.
 */
const TICKETS = Number(process.env.TICKETS ?? 200);
const BUYERS = Number(process.env.BUYERS ?? 16);
const QUANTITY = Number(process.env.QUANTITY ?? 2);
const TIMEOUT_S = Number(process.env.TIMEOUT_S ?? 1_800);
const found = findValidator();
const version = 'version' in found ? found.version : undefined;
const chain = (process.env.CHAIN ?? (version ? 'validator' : 'embedded')) as 'validator' | 'embedded';
if (chain === 'validator' && 'missing' in found) throw new Error(`${found.missing}.`);

type Progress = { sold: number; active: number; final: number; parked: number };

const server = await findServer();
const database = await server.openDatabase();
const stack = await startBenchStack(database, chain);
try {
  console.log(`${TICKETS} tickets on ${chain === 'validator' ? version : 'the embedded runtime'}`);
  await measure(stack);
} finally {
  await stack.stop();
  await database.drop();
  await server.stop();
}

async function measure({ url, rpcUrl, tenantId }: BenchStack): Promise<void> {
  const type = await openSale(url, tenantId);
  const start = performance.now();
  const since = (): number => (performance.now() - start) / 1_000;
  const bought = buyAll(url, tenantId, type).then(() => since());
  const marks: Partial<Record<'first active' | 'all active' | 'all final', number>> = {};
  for (let said = 0; ; await sleep(250)) {
    const now = await progress(database);
    if (now.active > 0) marks['first active'] ??= since();
    if (now.active >= TICKETS) marks['all active'] ??= since();
    if (now.final >= TICKETS) marks['all final'] ??= since();
    if (marks['all final'] !== undefined) break;
    if (since() > TIMEOUT_S) throw new Error(`after ${TIMEOUT_S} s: ${JSON.stringify(now)}`);
    if (since() - said >= 10) {
      said = since();
      console.log(`${said.toFixed(0).padStart(5)} s  ${JSON.stringify(now)}`);
    }
  }
  const buying = await bought;
  await checkChain(rpcUrl);
  const rate = (seconds = 0): string =>
    `${seconds.toFixed(1).padStart(7)} s  ${(TICKETS / seconds).toFixed(1)} tickets/s`;
  console.log(`all bought   ${rate(buying)}`);
  console.log(`first active ${marks['first active']?.toFixed(1).padStart(7)} s`);
  console.log(`all active   ${rate(marks['all active'])}`);
  console.log(`all final    ${rate(marks['all final'])}`);
  console.log(`sale to active, by ticket: ${await delays(database)}`);
}

async function openSale(url: string, tenantId: string): Promise<{ id: string; eventId: string }> {
  const startsAt = Date.now() + 86_400_000;
  const event = await post<{ ticketTypes: [{ id: string; eventId: string }] }>(
    `${url}/api/events`,
    await issueToken(tenantId, 'organiser', 'organiser'),
    {
      title: 'A long night',
      venue: 'The Forum',
      startsAt: new Date(startsAt).toISOString(),
      endsAt: new Date(startsAt + 3_600_000).toISOString(),
      currency: 'EUR',
      ticketTypes: [{ name: 'Standing', priceMinor: 2_500, capacity: TICKETS }],
    },
  );
  return event.ticketTypes[0];
}

async function buyAll(url: string, tenantId: string, type: { id: string; eventId: string }): Promise<void> {
  let left = TICKETS;
  const buyer = async (number: number): Promise<void> => {
    const token = await issueToken(tenantId, `buyer-${number}`);
    while (left > 0) {
      const quantity = Math.min(QUANTITY, left);
      left -= quantity;
      await post(`${url}/api/tickets/purchase`, token, {
        eventId: type.eventId,
        ticketTypeId: type.id,
        quantity,
        customerName: 'Ada Example',
        customerEmail: 'ada@example.com',
        payment: { token: 'tok_success' },
      });
    }
  };
  await Promise.all(Array.from({ length: BUYERS }, (_, number) => buyer(number)));
}

async function post<T>(url: string, token: string, body: unknown): Promise<T> {
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      'idempotency-key': randomUUID(),
    },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${url}: ${response.status} ${await response.text()}`);
  return (await response.json()) as T;
}

async function progress({ owner }: BenchDatabase): Promise<Progress> {
  const { rows } = await owner.query(
    `select count(*)::integer as sold,
       count(*) filter (where status = 'active')::integer as active,
       count(*) filter (where status = 'active' and blockchain_sync_status = 'finalized')::integer as final,
       count(*) filter (where blockchain_sync_status = 'parked')::integer as parked
     from tickets`,
  );
  return rows[0];
}

/** As many ticket accounts as tickets, and no mint of any ticket beside them. */
async function checkChain(rpcUrl: string): Promise<void> {
  const connection = new Connection(rpcUrl, 'finalized');
  const program = new PublicKey('TesseraTicket111111111111111111111111111111');
  const accounts = await connection.getProgramAccounts(program, {
    filters: [{ dataSize: accountSizes.ticket }],
    dataSlice: { offset: 0, length: 0 },
  });
  if (accounts.length !== TICKETS)
    throw new Error(`${accounts.length} tickets are on the chain, ${TICKETS} were sold`);
}

async function delays({ owner }: BenchDatabase): Promise<string> {
  const { rows } = await owner.query(
    `select percentile_cont(array[0.5, 0.95, 1.0]) within group (order by extract(epoch from a.at - s.at)) as p
     from ticket_state_transitions a
     join ticket_state_transitions s on s.ticket_id = a.ticket_id and s.to_status = 'sold'
     where a.to_status = 'active'`,
  );
  const [half, most, all] = (rows[0].p as number[]).map((seconds) => `${seconds.toFixed(1)} s`);
  return `half within ${half}, 95 % within ${most}, all within ${all}`;
}
