import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import type { Verdict } from '../../../src/domain/check-in/schema.ts';
import type { EventView } from '../../../src/domain/events/schema.ts';
import type { OrderAnswer } from '../../../src/domain/orders/schema.ts';
import type { Role } from '../../../src/platform/actor.ts';
import { sleep } from '../../../src/platform/retry.ts';
import type { Dice } from '../../support/fake-chain/dice.ts';
import { sampleEvent, samplePurchase, sampleTicketType } from '../../support/samples.ts';
import { issueToken } from '../../support/test-context.ts';

export type Tenant = { tenantId: string; adminKey: string };

export type Customers = {
  /** Orders that were answered with tickets. */
  orders(): number;
  /** What was done, and how often it was refused with which code. */
  deeds: Map<string, number>;
  /** Answers that nobody should get. */
  surprises: string[];
  /** Resolves when all is bought and done. */
  finished: Promise<void>;
};

type Refusal = { status: number; code: string };
type Answer<T> = { body: T } | { refused: Refusal };

const EVENTS = 3;
const BUYERS = 8;
/** An order that a dead API had in hand is kept for half a minute; so many wait or buy at once. */
const AT_ONCE = 40;
/** For each order so many moves, check-ins and revocations. */
const DEEDS_AN_ORDER = 0.5;
const AGAIN_MS = 150;
/** A customer who gets no answer for so long goes away, and that is a fault. */
const PATIENCE_MS = 300_000;

/**
 * Buyers of several tenants: orders of one to four tickets, which are then given away, scanned and revoked by turns.
 * Whatever breaks off is asked again with the same key until it is answered. `mayGoOn` holds them back.
 */
export function openCustomers(options: {
  url: string;
  tenants: readonly Tenant[];
  owner: pg.Pool;
  dice: Dice;
  orders: number;
  mayGoOn: (ordersSoFar: number) => boolean;
  signal: AbortSignal;
}): Customers {
  const { url, tenants, owner, dice, orders, mayGoOn, signal } = options;
  const deeds = new Map<string, number>();
  const surprises: string[] = [];
  let placed = 0;
  let started = 0;

  const note = (what: string): void => void deeds.set(what, (deeds.get(what) ?? 0) + 1);
  const tokens = new Map<string, Promise<string>>();
  const tokenOf = (tenantId: string, subject: string, role: Role): Promise<string> => {
    const name = `${tenantId} ${subject} ${role}`;
    const token = tokens.get(name) ?? issueToken({ tenantId, subject, role });
    tokens.set(name, token);
    return token;
  };

  /** Asks until there is an answer; the key stays the same, so nothing happens twice. */
  async function ask<T>(token: string, method: string, path: string, body?: unknown): Promise<Answer<T>> {
    const key = randomUUID();
    const until = performance.now() + PATIENCE_MS;
    let last = 'nothing';
    for (; !signal.aborted && performance.now() < until; await sleep(AGAIN_MS, signal)) {
      const response = await fetch(`${url}/api${path}`, {
        method,
        headers: {
          authorization: `Bearer ${token}`,
          'content-type': 'application/json',
          ...(method === 'GET' ? {} : { 'idempotency-key': key }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(20_000),
      })
        .then(async (answer) => ({ status: answer.status, body: (await answer.json()) as { code?: string } }))
        .catch(() => undefined);
      if (response) last = `${response.status} ${response.body.code ?? ''}`;
      if (response === undefined || response.status >= 500 || response.status === 429) continue;
      const { status, body: answer } = response;
      if (status < 300 && status !== 202) return { body: answer as T };
      if (status === 202 && path !== '/tickets/purchase') return { body: answer as T };
      // Its first try is still under way, or nobody knows yet what became of the payment.
      if (status === 202 || answer.code === 'request_in_flight' || answer.code === 'idempotency_in_flight')
        continue;
      return { refused: { status, code: answer.code ?? '' } };
    }
    return { refused: { status: 0, code: `no end of ${last}` } };
  }

  async function openEvents(tenant: Tenant): Promise<EventView['ticketTypes']> {
    const capacity = orders * 4;
    const opened = await Promise.all(
      Array.from({ length: EVENTS }, () =>
        ask<EventView>(
          tenant.adminKey,
          'POST',
          '/events',
          sampleEvent({ ticketTypes: [sampleTicketType({ capacity })] }),
        ),
      ),
    );
    return opened.flatMap((answer) => ('body' in answer ? answer.body.ticketTypes : []));
  }

  async function buy(sales: EventView['ticketTypes'][]): Promise<void> {
    while (started < orders && !signal.aborted) {
      if (!mayGoOn(placed)) {
        await sleep(50, signal);
        continue;
      }
      const order = `order ${started++}`;
      const which = dice.between('tenant', order, [0, tenants.length - 1]);
      const tenant = tenants[which] as Tenant;
      const types = sales[which] as EventView['ticketTypes'];
      const type = types[dice.between('event', order, [0, types.length - 1])] as (typeof types)[0];
      const buyer = await tokenOf(
        tenant.tenantId,
        `buyer-${dice.between('buyer', order, [1, BUYERS])}`,
        'buyer',
      );
      const quantity = dice.between('quantity', order, [1, 4]);
      const purchase = samplePurchase(type, { quantity });
      let answer = await ask<OrderAnswer>(buyer, 'POST', '/tickets/purchase', purchase);
      // The API died before it asked for the money: nobody paid, and the buyer orders anew.
      while ('refused' in answer && answer.refused.code === 'payment_failed') {
        note('order broken off before the payment');
        answer = await ask<OrderAnswer>(buyer, 'POST', '/tickets/purchase', purchase);
      }
      if ('body' in answer && answer.body.tickets?.length === quantity) placed++;
      else surprises.push(`${order}: ${JSON.stringify(answer)}`);
    }
  }

  async function act(): Promise<void> {
    const all = Math.floor(orders * DEEDS_AN_ORDER);
    for (let deed = 0; deed < all && !signal.aborted; ) {
      // What was refused for good is answered too: nobody waits for it.
      const answered = placed + surprises.length;
      if (answered < orders && deed > answered * DEEDS_AN_ORDER) {
        await sleep(50, signal);
        continue;
      }
      const { rows } = await owner.query<{
        tenant_id: string;
        id: string;
        event_id: string;
        user_id: string;
      }>(
        `select tenant_id, id, event_id, user_id from tickets where status = 'active' order by random() limit 1`,
      );
      const [ticket] = rows;
      if (!ticket) {
        await sleep(200, signal);
        continue;
      }
      const tenant = tenants.find(({ tenantId }) => tenantId === ticket.tenant_id) as Tenant;
      const way = dice.between('deed', `${deed}`, [1, 20]);
      if (way <= 12) await give(tenant, ticket, `buyer-${dice.between('receiver', `${deed}`, [1, BUYERS])}`);
      else if (way <= 17) await scan(tenant, ticket);
      else await revoke(tenant, ticket);
      deed++;
    }
  }

  type Ticket = { id: string; event_id: string; user_id: string };

  async function give(tenant: Tenant, ticket: Ticket, toUserId: string): Promise<void> {
    if (toUserId === ticket.user_id) return note('transfer to oneself left out');
    const holder = await tokenOf(tenant.tenantId, ticket.user_id, 'buyer');
    const answer = await ask(holder, 'POST', `/tickets/${ticket.id}/transfer`, { toUserId });
    note('body' in answer ? 'transfer' : `transfer refused ${answer.refused.status} ${answer.refused.code}`);
  }

  async function scan(tenant: Tenant, ticket: Ticket): Promise<void> {
    const holder = await tokenOf(tenant.tenantId, ticket.user_id, 'buyer');
    const code = await ask<{ code: string }>(holder, 'GET', `/tickets/${ticket.id}/qr`);
    if ('refused' in code) return note(`code refused ${code.refused.status} ${code.refused.code}`);
    const gate = await tokenOf(tenant.tenantId, 'gate-1', 'scanner');
    const verdict = await ask<Verdict>(gate, 'POST', '/tickets/validate', {
      qr: code.body.code,
      eventId: ticket.event_id,
      nonce: randomUUID(),
    });
    if ('refused' in verdict) note(`scan refused ${verdict.refused.status} ${verdict.refused.code}`);
    else note(verdict.body.status === 'ok' ? 'check-in' : `scan said ${verdict.body.reason}`);
  }

  async function revoke(tenant: Tenant, ticket: Ticket): Promise<void> {
    const answer = await ask(tenant.adminKey, 'POST', `/tickets/${ticket.id}/revoke`, { reason: 'fraud' });
    note(
      'body' in answer ? 'revocation' : `revocation refused ${answer.refused.status} ${answer.refused.code}`,
    );
  }

  const finished = (async () => {
    const sales = await Promise.all(tenants.map(openEvents));
    await Promise.all([...Array.from({ length: AT_ONCE }, () => buy(sales)), act(), act()]);
  })();
  return { orders: () => placed, deeds, surprises, finished };
}
