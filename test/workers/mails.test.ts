import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createApp } from '../../src/api/app.ts';
import { createMailSender, type MailSender, sweepMails } from '../../src/domain/notifications/send-mails.ts';
import { listUnsentMails, resendMails } from '../../src/domain/notifications/unsent-mails.ts';
import { writeMails } from '../../src/domain/notifications/write-mails.ts';
import type { Message } from '../../src/messages.ts';
import type { TenantId } from '../../src/platform/ids.ts';
import { type Mail, MailRefused, MailUncertain } from '../../src/platform/mail.ts';
import { withTenant } from '../../src/platform/tenant-tx.ts';
import { buy, changeTicket, openSale, putOnChain } from '../support/samples.ts';
import { createTestClock, type TestClock } from '../support/test-clock.ts';
import {
  createTestContext,
  createTestTenant,
  type TestContext,
  type TestTenant,
} from '../support/test-context.ts';

let ctx: TestContext;
let tenant: TestTenant;
let tenantId: TenantId;
let other: TestTenant;
let clock: TestClock;
let sent: Mail[];
let send: (mail: Mail) => Promise<void>;
let senders: MailSender[];

beforeAll(async () => {
  ctx = await createTestContext();
  const app = createApp(ctx);
  tenant = await createTestTenant(ctx, app);
  other = await createTestTenant(ctx, app, 'Other');
  tenantId = tenant.tenantId as TenantId;
});
afterAll(() => ctx.close());
beforeEach(() => {
  clock = createTestClock();
  sent = [];
  send = async (mail) => void sent.push(mail);
  senders = [];
});
afterEach(async () => {
  for (const sender of senders) await sender.stop();
  await query('delete from mails');
});

const query = async (text: string, ...values: unknown[]) =>
  (await ctx.database.owner.query(text, values)).rows;
const mails = () => query('select * from mails order by fact, recipient');
const tell = (messages: Message[], tenant = tenantId) =>
  withTenant(ctx.db, tenant, (tx) => writeMails(tx, tenant, clock.now(), messages as never));

function openSender(atOnce = 2): { sender: MailSender; sweep: () => Promise<void> } {
  const given = { ...ctx, clock, sendMail: (mail: Mail) => send(mail) };
  const sender = createMailSender(given, { atOnce });
  senders.push(sender);
  return { sender, sweep: () => sweepMails(given, ctx.database.relay, sender) };
}

/** An order of Alice whose tickets are on the chain, and the messages of their mints. */
async function mintedOrder(quantity: number, title = 'Hamlet') {
  const { event, type } = await openSale(tenant, { event: { title } });
  const order = await buy(tenant.alice, type, { quantity });
  const minted: Message[] = [];
  for (const { id } of order.tickets) {
    const wallet = '1'.repeat(40);
    const body = {
      ticketId: id,
      eventId: event.id,
      userId: 'alice',
      mint: wallet,
      owner: wallet,
      signature: 's',
    };
    minted.push({ kind: 'ticket.minted', body });
  }
  const putAll = async (ids = order.tickets.map(({ id }) => id)) => {
    for (const id of ids) await putOnChain(ctx, id);
  };
  return { event, type, order, minted, putAll };
}

const purchasedBy = (orderId: string, eventId: string): Message => ({
  kind: 'ticket.purchased',
  body: {
    orderId,
    transactionId: 'T',
    eventId,
    userId: 'alice',
    ticketIds: [randomUUID()],
    amountMinor: 1,
    currency: 'EUR',
  },
});

describe('a letter', () => {
  it('tells a fact once to each person, however often and however much at once it is told', async () => {
    const { event, order } = await mintedOrder(1);
    const told = purchasedBy(order.orderId, event.id);
    await tell([told, told]);
    await Promise.all(Array.from({ length: 8 }, () => tell([told])));
    expect(await mails()).toMatchObject([
      { fact: `order:${order.orderId}:purchased`, recipient: 'alice@example.com', status: 'waiting' },
    ]);
    const { sender } = openSender();
    for (let i = 0; i < 5; i++) sender.kick(tenantId);
    await expect.poll(async () => (await mails())[0].status).toBe('sent');
    await tell([told]);
    sender.kick(tenantId);
    await delay(50);
    expect(sent).toHaveLength(1);
    // What was sent is forgotten but for the fact.
    expect(await mails()).toMatchObject([{ status: 'sent', subject: null, content: null }]);
  });

  it('tells of the mint of an order when all of its tickets are on the chain, in whatever order they are told', async () => {
    const { minted, order, putAll } = await mintedOrder(10, 'Othello');
    const [first = '', ...rest] = order.tickets.map(({ id }) => id);
    await putAll(rest);
    await tell(minted.slice(1));
    expect(await mails()).toEqual([]);
    await putAll([first]);
    await Promise.all([tell(minted.slice(0, 5).reverse()), tell(minted.slice(5)), tell(minted)]);
    const [letter, ...more] = await mails();
    expect(more).toEqual([]);
    expect(letter).toMatchObject({ subject: 'Your 10 tickets for Othello are on the chain' });
    for (const { ticketNumber } of order.tickets)
      expect(letter.content).toContain(`Ticket ${ticketNumber} is the NFT`);
  });

  it('tells of the mint of a single ticket by its number', async () => {
    const { minted, order, putAll } = await mintedOrder(1);
    await putAll();
    await tell(minted);
    expect((await mails())[0]).toMatchObject({
      subject: `Ticket ${order.tickets[0]?.ticketNumber} for Hamlet is on the chain`,
    });
  });

  it('tells of tickets of an order that were ended together once, and of others by themselves', async () => {
    const { event, order } = await mintedOrder(4, 'Lear');
    const ids = order.tickets.map(({ id }) => id);
    const revoked = (ticketId = ''): Message => ({
      kind: 'ticket.revoked',
      body: { ticketId, eventId: event.id, userId: 'alice', reason: 'refunded' },
    });
    await query(
      `update tickets set status = 'refunded', version = version + 1, updated_at = now(), status_actor = 'test' where id = any($1)`,
      ids.slice(0, 3),
    );
    await tell([revoked(ids[1])]);
    await tell([revoked(ids[0]), revoked(ids[2])]);
    await changeTicket(ctx, ids[3] ?? '', { status: 'refunded' });
    await tell([revoked(ids[3]), revoked(ids[0])]);
    const letters = await mails();
    expect(letters.map(({ subject }) => subject).toSorted()).toEqual([
      'Your ticket for Lear was revoked',
      'Your tickets for Lear were revoked',
    ]);
    const numbers = order.tickets.map(({ ticketNumber }) => ticketNumber).slice(0, 3);
    const together = letters.find(({ subject }) => subject.startsWith('Your tickets'));
    for (const number of numbers) expect(together.content).toContain(number);
    expect(together.content).not.toContain(order.tickets[3]?.ticketNumber);
  });

  it('tells of an event that is over once for an order', async () => {
    const { event, order } = await mintedOrder(3, 'Faust');
    const ids = order.tickets.map(({ id }) => id);
    await query(
      `update tickets set status = 'expired', version = version + 1, updated_at = now(), status_actor = 'test' where id = any($1)`,
      ids.slice(0, 2),
    );
    const messages = ids.map(
      (ticketId): Message => ({
        kind: 'ticket.expired',
        body: { ticketId, eventId: event.id, userId: 'alice' },
      }),
    );
    for (const message of messages) await tell([message]);
    const letters = await mails();
    expect(letters).toHaveLength(1);
    for (const { ticketNumber } of order.tickets) expect(letters[0].content).toContain(ticketNumber);
  });

  it('is written to nobody else: another tenant that names the same things gets none', async () => {
    const { event, order, minted, putAll } = await mintedOrder(1);
    await putAll();
    await tell([purchasedBy(order.orderId, event.id), ...minted], other.tenantId as TenantId);
    expect(await mails()).toEqual([]);
  });
});

describe('the sender', () => {
  async function writeMany(count: number, people = tenantId): Promise<void> {
    await query(
      `insert into mails (tenant_id, id, fact, recipient, subject, content, next_attempt_at, created_at)
       select $1, gen_random_uuid(), 'test:' || n, 'a@example.com', 'S' || n, 'text', $3, $3 from generate_series(1, $2) n`,
      people,
      count,
      clock.now(),
    );
  }
  const statuses = async () =>
    Object.fromEntries(
      (await query('select status, count(*)::integer as n from mails group by status')).map(
        ({ status, n }) => [status, n],
      ),
    );

  it('sends each of many once, of several tenants, also where several processes send', async () => {
    await writeMany(180);
    await writeMany(60, other.tenantId as TenantId);
    send = async (mail) => {
      await delay(1);
      sent.push(mail);
    };
    const all = [openSender(), openSender(), openSender()];
    for (const { sender } of all) {
      sender.kick(tenantId);
      sender.kick(other.tenantId as TenantId);
    }
    await expect.poll(statuses, { timeout: 10_000 }).toEqual({ sent: 240 });
    expect(sent).toHaveLength(240);
    expect(new Set(sent.map(({ id }) => id)).size).toBe(240);
  });

  it('has said that it sends before the server hears of it', async () => {
    await writeMany(3);
    const seen: string[] = [];
    send = async ({ id }) => {
      const [row] = await query('select status from mails where id = $1', id);
      seen.push(row.status);
    };
    openSender().sender.kick(tenantId);
    await expect.poll(statuses).toEqual({ sent: 3 });
    expect(seen).toEqual(['sending', 'sending', 'sending']);
  });

  it('tries again later what the server did not take, and not what it never will', async () => {
    await writeMany(2);
    let down = true;
    send = async (mail) => {
      if (mail.subject === 'S1') throw new MailRefused('550 no such person');
      if (down) throw new Error('421 come back later');
      sent.push(mail);
    };
    const { sender, sweep } = openSender();
    sender.kick(tenantId);
    await expect.poll(statuses).toEqual({ refused: 1, waiting: 1 });
    await sweep();
    await delay(50);
    expect(await query("select attempts from mails where status = 'waiting'")).toEqual([{ attempts: 1 }]);
    down = false;
    clock.advance(60_000);
    await sweep();
    await expect.poll(statuses).toEqual({ refused: 1, sent: 1 });
    expect(sent.map(({ subject }) => subject)).toEqual(['S2']);
  });

  it('neither sends twice nor forgets what may have gone out when its connection broke', async () => {
    await writeMany(1);
    send = async (mail) => {
      sent.push(mail);
      throw new MailUncertain('the connection broke');
    };
    const { sender, sweep } = openSender();
    sender.kick(tenantId);
    await expect.poll(statuses).toEqual({ uncertain: 1 });
    clock.advance(86_400_000);
    await sweep();
    sender.kick(tenantId);
    await delay(50);
    expect(sent).toHaveLength(1);
    expect(await listUnsentMails(ctx.db, tenantId)).toMatchObject([
      { fact: 'test:1', status: 'uncertain', error: 'the connection broke' },
    ]);
    // Only somebody who was asked to sends it again.
    send = async (mail) => void sent.push(mail);
    expect(await resendMails(ctx.db, other.tenantId as TenantId, clock.now())).toBe(0);
    expect(await resendMails(ctx.db, tenantId, clock.now())).toBe(1);
    await sweep();
    await expect.poll(statuses).toEqual({ sent: 1 });
    expect(sent).toHaveLength(2);
  });

  it('that died leaves mails that nobody sends again by themselves, and none is lost', async () => {
    await writeMany(60);
    // It claims a group, hands each to the server, and is never heard of again.
    const dead = openSender(1);
    senders = [];
    send = async (mail) => {
      sent.push(mail);
      return new Promise(() => undefined);
    };
    dead.sender.kick(tenantId);
    await expect.poll(() => sent.length).toBe(25);
    send = async (mail) => void sent.push(mail);
    const { sender, sweep } = openSender();
    sender.kick(tenantId);
    await expect.poll(statuses).toEqual({ sending: 25, sent: 35 });
    await sweep();
    expect(await statuses()).toEqual({ sending: 25, sent: 35 });
    clock.advance(11 * 60_000);
    await sweep();
    await expect.poll(statuses).toEqual({ uncertain: 25, sent: 35 });
    expect(new Set(sent.map(({ id }) => id)).size).toBe(60);
    expect(sent).toHaveLength(60);
  });

  it('settles what it has in hand when it stops, and takes nothing more', async () => {
    await writeMany(60);
    send = async (mail) => {
      await delay(30);
      sent.push(mail);
    };
    const { sender } = openSender(1);
    sender.kick(tenantId);
    await delay(20);
    await sender.stop();
    sender.kick(tenantId);
    await delay(50);
    expect(await statuses()).toEqual({ sent: 25, waiting: 35 });
    expect(sent).toHaveLength(25);
  });
});
