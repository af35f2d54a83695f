import { randomUUID } from 'node:crypto';
import { Connection } from '@solana/web3.js';
import type { Verdict } from '../../domain/check-in/schema.ts';
import type { EventView } from '../../domain/events/schema.ts';
import type { OrderAnswer } from '../../domain/orders/schema.ts';
import type { TicketView } from '../../domain/tickets/schema.ts';
import type { TransferView } from '../../domain/transfers/schema.ts';
import { waitFor } from '../../platform/retry.ts';
import { addLocalTenant, type LocalTenant } from './credentials.ts';
import type { Report, Stack } from './start-stack.ts';

type Chain = {
  mint: string | null;
  owner: string | null;
  transactions: { purpose: string; signature: string; status: string; confirmationCount: number }[];
  log: { kind: string; signature: string; commitment: string; outcome: string }[];
};

const HOUR = 3_600_000;
const PATIENCE = { timeoutMs: 40_000, everyMs: 100 };

/** Whose order was walked, and what to try next: each `line` does it when it is pasted into a shell. */
export type Walked = { tenant: LocalTenant; next: { what: string; line: string }[] };

/**
 * Walks an order through everything, as clients of the API would: two tickets, of which one is scanned at the gate and
 * the other is given away. Tells of each step once, when it is done.
 */
export async function runDemo(stack: Stack, report: Report): Promise<Walked> {
  console.log('\nOne order, from the sale to the gate:\n');

  async function step<T>(name: string, run: () => Promise<T>, show: (value: T) => string): Promise<T> {
    const value = await run();
    report(name, show(value));
    return value;
  }

  const tenant = await step(
    'tenant',
    () => addLocalTenant(stack, 'Demo Concerts'),
    ({ tenantId }) => tenantId,
  );
  const { tenantId } = tenant;
  const person = async (subject: string, role: 'buyer' | 'scanner') =>
    client(stack.url, await stack.identity.issueToken({ tenantId, subject, role }));
  const organiser = client(stack.url, tenant.key);
  const alice = await person('alice', 'buyer');
  const bob = await person('bob', 'buyer');
  const scanner = await person('gate-1', 'scanner');

  const event = await step(
    'event and ticket type',
    () => organiser.post<EventView>('/events', demoEvent()),
    ({ title }) => title,
  );
  const [type] = event.ticketTypes;
  const order = await step(
    'purchase',
    () => alice.post<OrderAnswer>('/tickets/purchase', purchaseOf(event.id, type?.id ?? ''), randomUUID()),
    (sold) => `${sold.transactionId}, ${sold.tickets.map((ticket) => ticket.ticketNumber).join(' and ')}`,
  );
  const [scanned = '', given = ''] = order.tickets.map((ticket) => ticket.id);
  const chainOf = (id: string) => organiser.get<Chain>(`/tickets/${id}/chain`);

  const mint = await step(
    'mint confirmed',
    () =>
      until('the mints', async () => {
        const [one, two] = await Promise.all([chainOf(scanned), chainOf(given)]);
        return one.mint && two.mint ? two : undefined;
      }),
    (chain) => `${chain.mint}`,
  );
  const connection = new Connection(stack.rpcUrl, 'confirmed');
  const signature = mint.transactions.find(({ purpose }) => purpose === 'mint')?.signature ?? '';
  await step(
    'signature on chain',
    async () => {
      const found = await connection.getTransaction(signature, {
        commitment: 'confirmed',
        maxSupportedTransactionVersion: 0,
      });
      if (!found || found.meta?.err) throw new Error(`the chain does not know the transaction ${signature}`);
      return found;
    },
    ({ slot }) => `${signature} in slot ${slot}`,
  );
  await step(
    'listener',
    () =>
      until('the listener', async () => {
        const chain = await chainOf(given);
        const pending = chain.transactions.find(({ purpose }) => purpose === 'mint');
        return chain.log.length > 0 && ['confirmed', 'finalized'].includes(pending?.status ?? '')
          ? { chain, pending }
          : undefined;
      }),
    ({ chain, pending }) =>
      `blockchain_sync ${chain.log[0]?.kind} ${chain.log[0]?.outcome}, pending_transactions ${pending?.status}`,
  );

  const scan = (qr: string, gate: string) =>
    scanner.post<Verdict>('/tickets/validate', { qr, eventId: event.id, gate, nonce: randomUUID() });
  const code = await step(
    'QR',
    () => alice.get<{ code: string }>(`/tickets/${scanned}/qr`),
    (made) => `${made.code.length} characters`,
  );
  await step('scan', () => expectVerdict(scan(code.code, 'north'), null), showVerdict);
  await step('second scan', () => expectVerdict(scan(code.code, 'south'), 'already_used'), showVerdict);

  const old = await alice.get<{ code: string }>(`/tickets/${given}/qr`);
  await step(
    'transfer on chain',
    async () => {
      const wish = await alice.post<TransferView>(
        `/tickets/${given}/transfer`,
        { toUserId: 'bob' },
        randomUUID(),
      );
      await until('the transfer', async () => {
        const transfer = await alice.get<TransferView>(`/transfers/${wish.id}`);
        if (transfer.status === 'failed') throw new Error(`the transfer failed: ${transfer.failureCode}`);
        return transfer.status === 'completed' ? transfer : undefined;
      });
      return chainOf(given);
    },
    (chain) => `now owned by ${chain.owner}`,
  );
  await step(
    "the old holder's code",
    () => expectVerdict(scan(old.code, 'north'), 'transferred'),
    showVerdict,
  );
  await step(
    "the new holder's code",
    async () => {
      const { code: fresh } = await bob.get<{ code: string }>(`/tickets/${given}/qr`);
      return expectVerdict(scan(fresh, 'north'), null);
    },
    showVerdict,
  );
  await step(
    'check-in on chain',
    () =>
      until('the check-ins', async () => {
        const chain = await chainOf(scanned);
        return chain.log.some(({ kind }) => kind === 'ticket_checked_in') ? chain : undefined;
      }),
    (chain) => `${chain.log.length} entries for the first ticket`,
  );

  const ticket = await bob.get<TicketView>(`/tickets/${given}`);
  const { orderId, transactionId } = order;
  stack.showExamplesOf({
    ...{ eventId: event.id, ticketTypeId: type?.id ?? '', ticketId: given, mint: ticket.nftMint ?? '' },
    ...{ orderId, transactionId },
  });
  return { tenant, next: whatNext(stack, tenant, purchaseOf(event.id, type?.id ?? ''), ticket, signature) };
}

function whatNext(
  stack: Stack,
  tenant: LocalTenant,
  purchase: ReturnType<typeof purchaseOf>,
  ticket: TicketView,
  signature: string,
): Walked['next'] {
  const key = `-H 'Authorization: Bearer ${tenant.key}'`;
  const json = "-H 'Content-Type: application/json'";
  const carol = { ...purchase, customerName: 'Carol Example', customerEmail: 'carol@example.com' };
  const question = {
    jsonrpc: '2.0',
    id: 1,
    method: 'getTransaction',
    params: [signature, { commitment: 'confirmed', encoding: 'json', maxSupportedTransactionVersion: 0 }],
  };
  return [
    {
      what: 'Buy two more tickets as carol',
      line: `curl -s ${stack.url}/api/tickets/purchase ${key} -H 'On-Behalf-Of: carol' -H 'Idempotency-Key: ${randomUUID()}' ${json} -d '${JSON.stringify(carol)}'`,
    },
    {
      what: 'See the NFT that bob was given as a wallet sees it',
      line: `curl -s ${stack.url}/api/nft/${ticket.nftMint}/metadata.json`,
    },
    {
      what: 'Ask Solana itself for the transaction that minted it',
      line: `curl -s ${stack.rpcUrl} ${json} -d '${JSON.stringify(question)}'`,
    },
  ];
}

function demoEvent() {
  const start = Date.now() + 2 * HOUR;
  return {
    title: 'Tessera Live',
    venue: 'Theatre of Pompey',
    startsAt: new Date(start).toISOString(),
    endsAt: new Date(start + 4 * HOUR).toISOString(),
    currency: 'EUR',
    ticketTypes: [{ name: 'Standing', priceMinor: 4_500, capacity: 100 }],
  };
}

function purchaseOf(eventId: string, ticketTypeId: string) {
  const customer = { customerName: 'Alice Example', customerEmail: 'alice@example.com' };
  return { eventId, ticketTypeId, quantity: 2, ...customer, payment: { token: 'tok_success' } };
}

async function expectVerdict(scan: Promise<Verdict>, reason: Verdict['reason']): Promise<Verdict> {
  const verdict = await scan;
  if (verdict.reason !== reason)
    throw new Error(`the gate said ${verdict.reason ?? 'ok'}, not ${reason ?? 'ok'}`);
  return verdict;
}

function showVerdict(verdict: Verdict): string {
  const owner =
    verdict.chain?.mode === 'none' || !verdict.chain ? '' : `, owner checked (${verdict.chain.mode})`;
  return `${verdict.status}${verdict.reason ? `: ${verdict.reason}` : ''}${verdict.status === 'ok' ? owner : ''}`;
}

async function until<T>(what: string, probe: () => Promise<T | undefined>): Promise<T> {
  const value = await waitFor(probe, PATIENCE);
  if (value === undefined) throw new Error(`${what} did not come within ${PATIENCE.timeoutMs / 1000} s`);
  return value;
}

function client(url: string, token: string) {
  async function call<T>(method: string, path: string, body?: unknown, key?: string): Promise<T> {
    const response = await fetch(`${url}/api${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(key ? { 'idempotency-key': key } : {}),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const answer = (await response.json()) as T;
    if (!response.ok)
      throw new Error(`${method} ${path} answered ${response.status}: ${JSON.stringify(answer)}`);
    return answer;
  }
  return {
    get: <T>(path: string) => call<T>('GET', path),
    post: <T>(path: string, body: unknown, key?: string) => call<T>('POST', path, body, key),
  };
}
