import { randomUUID } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApp } from '../../src/api/app.ts';
import { expireTickets } from '../../src/domain/tickets/expire-tickets.ts';
import { createMailer } from '../../src/platform/mail.ts';
import { waitFor } from '../../src/platform/retry.ts';
import { runBackground } from '../../src/workers/run-background.ts';
import { digestDatabase, expectProblem } from '../http/support/problems.ts';
import { buy, changeTicket, openSale, putOnChain, sampleEvent } from '../support/samples.ts';
import {
  createTestContext,
  createTestTenant,
  type TestContext,
  type TestTenant,
} from '../support/test-context.ts';

let ctx: TestContext;
let tenant: TestTenant;
let other: TestTenant;

beforeAll(async () => {
  ctx = await createTestContext();
  const app = createApp(ctx);
  tenant = await createTestTenant(ctx, app);
  other = await createTestTenant(ctx, app, 'Other');
});
afterAll(() => ctx.close());

const query = async (text: string, ...values: unknown[]) =>
  (await ctx.database.owner.query(text, values)).rows;
const expire = () => expireTickets(ctx, ctx.database.relay);
const endEvent = (eventId: string) =>
  query(
    "update events set starts_at = now() - interval '2 hours', ends_at = now() - interval '61 seconds' where id = $1",
    eventId,
  );
const statusOf = async (ids: string[]) => {
  const rows = await query('select id, status from tickets where id = any($1)', ids);
  return ids.map((id) => rows.find((row) => row.id === id)?.status);
};
const expiries = (eventId: string) =>
  query(
    "select m from outbox, jsonb_array_elements(messages::jsonb) m where m ->> 'kind' = 'ticket.expired' and m -> 'body' ->> 'eventId' = $1",
    eventId,
  );

/** Tickets of Alice for one event, each brought to one of `statuses`. */
async function ticketsThatAre(statuses: string[], people = tenant, title = 'Hamlet') {
  const { event, type } = await openSale(people, { event: { title } });
  const order = await buy(people.alice, type, { quantity: statuses.length });
  const ids = order.tickets.map(({ id }) => id);
  for (const [i, status] of statuses.entries()) {
    const id = ids[i] ?? '';
    if (status === 'minting') await changeTicket(ctx, id, { status });
    else if (status !== 'sold') await putOnChain(ctx, id);
    if (!['sold', 'minting', 'active'].includes(status)) await changeTicket(ctx, id, { status });
  }
  return { event, type, ids };
}

/** As many more of a ticket as a hall has. */
const multiply = (ticketId: string, times: number) =>
  query(
    `insert into tickets (tenant_id, id, event_id, ticket_type_id, order_id, user_id, ticket_number, holder_name, status,
       status_actor, price_minor, currency, created_at, updated_at)
     select tenant_id, gen_random_uuid(), event_id, ticket_type_id, order_id, user_id, 'X-' || n, holder_name, 'sold',
       'test', price_minor, currency, now(), now()
     from tickets, generate_series(1, $2) n where id = $1`,
    ticketId,
    times,
  );

describe('when an event is over', () => {
  it('its unused tickets expire, and what was used or ended before stays as it is', async () => {
    const unused = ['sold', 'minting', 'active', 'transferred'];
    const rest = ['checked_in', 'cancelled', 'refunded', 'revoked'];
    const { event, ids } = await ticketsThatAre([...unused, ...rest]);
    await endEvent(event.id);
    expect(await expire()).toBe(4);
    expect(await statusOf(ids)).toEqual([...unused.map(() => 'expired'), ...rest]);
    const messages = (await expiries(event.id)).map(({ m }) => m.body);
    expect(messages).toHaveLength(4);
    expect(messages).toEqual(
      expect.arrayContaining(
        ids.slice(0, 4).map((ticketId) => ({ ticketId, eventId: event.id, userId: 'alice' })),
      ),
    );
  });

  it('everybody sees it at once, the history says why, and no code opens', async () => {
    const { event, ids } = await ticketsThatAre(['active']);
    const [id = ''] = ids;
    const { code } = (await tenant.alice.get<{ code: string }>(`/tickets/${id}/qr`)).body;
    expect((await tenant.alice.get(`/tickets/${id}`)).body).toMatchObject({ status: 'active' });
    await endEvent(event.id);
    await expire();
    expect((await tenant.alice.get(`/tickets/${id}`)).body).toMatchObject({ status: 'expired' });
    const { body } = await tenant.alice.get<{ items: object[] }>(`/tickets/${id}/history`);
    expect(body.items.at(-1)).toMatchObject({
      from: 'active',
      to: 'expired',
      actor: 'worker:expiry',
      reason: 'event_over',
    });
    expectProblem(await tenant.alice.get(`/tickets/${id}/qr`), 409, 'ticket_not_valid');
    const scan = { qr: code, eventId: event.id, nonce: randomUUID() };
    expect((await tenant.scanner.post('/tickets/validate', scan)).body).toMatchObject({ reason: 'expired' });
    expectProblem(
      await tenant.alice.post(`/tickets/${id}/transfer`, { toUserId: 'bob' }, { key: randomUUID() }),
      409,
      'not_transferable',
    );
  });

  it('they expire once: a second run writes nothing', async () => {
    const { event } = await ticketsThatAre(['active', 'sold', 'checked_in']);
    await endEvent(event.id);
    expect(await expire()).toBe(2);
    const before = await digestDatabase(ctx);
    expect(await expire()).toBe(0);
    expect(await digestDatabase(ctx)).toBe(before);
  });

  it('they expire in every tenant, and nowhere before the end', async () => {
    const [ours, theirs, later] = [
      await ticketsThatAre(['active']),
      await ticketsThatAre(['active', 'sold'], other),
      await ticketsThatAre(['active', 'sold']),
    ];
    await endEvent(ours.event.id);
    await endEvent(theirs.event.id);
    expect(await expire()).toBe(3);
    expect(await statusOf([...ours.ids, ...theirs.ids])).toEqual(['expired', 'expired', 'expired']);
    expect(await statusOf(later.ids)).toEqual(['active', 'sold']);
    const tenants = await query(
      "select distinct tenant_id from outbox, jsonb_array_elements(messages::jsonb) m where m ->> 'kind' = 'ticket.expired' and m -> 'body' ->> 'eventId' = $1",
      theirs.event.id,
    );
    expect(tenants).toEqual([{ tenant_id: other.tenantId }]);
  });

  it('they expire a minute later, when no sale can be under way any more', async () => {
    const { event, ids } = await ticketsThatAre(['active']);
    await query(
      "update events set starts_at = now() - interval '2 hours', ends_at = now() - interval '50 seconds' where id = $1",
      event.id,
    );
    expect(await expire()).toBe(0);
    expect(await statusOf(ids)).toEqual(['active']);
    await endEvent(event.id);
    expect(await expire()).toBe(1);
  });

  it('also those of an event that was taken off the list expire', async () => {
    const { event, ids } = await ticketsThatAre(['active']);
    await tenant.organiser.delete(`/events/${event.id}`);
    await endEvent(event.id);
    await expire();
    expect(await statusOf(ids)).toEqual(['expired']);
  });
});

describe('two workers at once', () => {
  it('expire each of 1,203 tickets once', async () => {
    const { event, ids } = await ticketsThatAre(['active', 'checked_in', 'sold']);
    await multiply(ids[2] ?? '', 1_201);
    await endEvent(event.id);
    const counts = await Promise.all([expire(), expire(), expire()]);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(1_203);
    const messages = (await expiries(event.id)).map(({ m }) => m.body.ticketId);
    expect(messages).toHaveLength(1_203);
    expect(new Set(messages).size).toBe(1_203);
    expect(
      await query(
        'select status, count(*)::integer as count from tickets where event_id = $1 group by status order by status',
        event.id,
      ),
    ).toEqual([
      { status: 'checked_in', count: 1 },
      { status: 'expired', count: 1_203 },
    ]);
    expect(
      await query(
        "select count(*)::integer as count from ticket_state_transitions where to_status = 'expired' and ticket_id in (select id from tickets where event_id = $1)",
        event.id,
      ),
    ).toEqual([{ count: 1_203 }]);
  });
});

describe('an event that is put off', () => {
  it('in the very moment in which its tickets are to expire keeps them', async () => {
    const { event, ids } = await ticketsThatAre(['active']);
    await endEvent(event.id);
    const organiser = await ctx.database.owner.connect();
    try {
      await organiser.query('begin');
      await organiser.query("update events set ends_at = now() + interval '1 hour' where id = $1", [
        event.id,
      ]);
      const expiring = expire();
      const waiting = await waitFor(
        async () =>
          (
            await query(
              "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
            )
          ).length > 0,
        { timeoutMs: 5_000, everyMs: 10 },
      );
      expect(waiting).toBe(true);
      await organiser.query('commit');
      expect(await expiring).toBe(0);
    } finally {
      organiser.release();
    }
    expect(await statusOf(ids)).toEqual(['active']);
    await endEvent(event.id);
    expect(await expire()).toBe(1);
  });

  it('after its end has new tickets, which expire with the new end', async () => {
    const { event, type, ids } = await ticketsThatAre(['active']);
    await endEvent(event.id);
    await expire();
    const { ticketTypes, ...times } = sampleEvent();
    expect((await tenant.organiser.patch(`/events/${event.id}`, times)).status).toBe(200);
    const order = await buy(tenant.alice, type);
    const fresh = order.tickets[0]?.id ?? '';
    expect(await expire()).toBe(0);
    await endEvent(event.id);
    expect(await expire()).toBe(1);
    expect(await statusOf([...ids, fresh])).toEqual(['expired', 'expired']);
  });
});

describe('the background worker', () => {
  it('expires by itself, and writes to the holder', async () => {
    const folder = await mkdtemp(`${tmpdir()}/tessera-mails-`);
    const stopping = new AbortController();
    const { event, ids } = await ticketsThatAre(['active'], tenant, 'Othello');
    await query(
      "insert into users (tenant_id, user_id, email) values ($1, 'alice', 'alice@example.com') on conflict do nothing",
      tenant.tenantId,
    );
    await endEvent(event.id);
    const sendMail = createMailer({ from: 'tickets@example.com', folder });
    const { relay } = ctx.database;
    const [spare, pulse] = [ctx.database.open('tessera_app', 2), ctx.database.open('tessera_app', 1)];
    const running = runBackground({ ...ctx, relay, spare, pulse, sendMail }, stopping.signal);
    try {
      const letter = await waitFor(
        async () => {
          for (const file of await readdir(folder)) {
            const text = await readFile(`${folder}/${file}`, 'utf8');
            if (text.includes('Subject: Othello is over')) return text;
          }
          return undefined;
        },
        { timeoutMs: 15_000, everyMs: 50 },
      );
      expect(letter).toContain('To: alice@example.com');
      expect(await statusOf(ids)).toEqual(['expired']);
    } finally {
      stopping.abort();
      await running;
      await rm(folder, { recursive: true });
    }
  });
});
