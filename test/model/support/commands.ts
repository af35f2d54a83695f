import { createHash, randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { expireHolds } from '../../../src/domain/inventory/expire-holds.ts';
import type { ReservationView } from '../../../src/domain/inventory/schema.ts';
import { reconcilePayments } from '../../../src/domain/payments/reconcile-payments.ts';
import { sendDueRefunds } from '../../../src/domain/payments/send-refund.ts';
import { noticeSignature } from '../../../src/domain/payments/test-provider.ts';
import type { LockView } from '../../../src/domain/seats/schema.ts';
import type { Client } from '../../support/test-context.ts';
import { BUYERS, type Hall, LIMIT, ROWS, SEATS_IN_ROW, STANDING, type Theatre } from './hall.ts';

const tokens = ['tok_success', 'tok_declined', 'tok_timeout', 'tok_requires_action'] as const;
type Token = (typeof tokens)[number];

/** What somebody does. `of` names an earlier reservation, lock or order, counted round. */
export type Command =
  | { do: 'reserve'; api: number; who: number; quantity: number }
  | { do: 'lock'; api: number; who: number; seats: number[] }
  | { do: 'lock best'; api: number; who: number; quantity: number }
  | { do: 'release'; api: number; of: number }
  | { do: 'buy'; api: number; who: number; quantity: number; token: Token }
  | { do: 'check out'; api: number; of: number; token: Token }
  | { do: 'repeat'; api: number; of: number }
  | { do: 'confirm at the bank'; api: number; of: number }
  | { do: 'everybody pays'; api: number }
  | { do: 'notify'; api: number; of: number; notice: number }
  | { do: 'forge a notice'; api: number; of: number }
  | { do: 'cancel'; api: number; of: number }
  | { do: 'refund'; api: number; of: number; tickets: number; amount: number }
  | { do: 'set capacity'; api: number; capacity: number }
  | { do: 'wait'; minutes: number }
  | { do: 'expire holds' }
  | { do: 'reconcile' }
  | { do: 'send refunds' };

const api = fc.nat(1);
const who = fc.nat(BUYERS.length - 1);
const of = fc.nat(7);
const token = fc.oneof(
  { weight: 4, arbitrary: fc.constant<Token>('tok_success') },
  { weight: 4, arbitrary: fc.constant<Token>('tok_requires_action') },
  { weight: 2, arbitrary: fc.constantFrom(...tokens) },
);
const quantity = fc.integer({ min: 1, max: STANDING });

export const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant('reserve' as const), api, who, quantity }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('lock' as const),
      api,
      who,
      seats: fc.uniqueArray(fc.nat(ROWS * SEATS_IN_ROW - 1), { minLength: 1, maxLength: 3 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('lock best' as const),
      api,
      who,
      quantity: fc.integer({ min: 1, max: SEATS_IN_ROW }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('release' as const), api, of }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('buy' as const), api, who, quantity, token }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('check out' as const), api, of, token }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('repeat' as const), api, of }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('confirm at the bank' as const), api, of }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('everybody pays' as const), api }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('notify' as const), api, of, notice: fc.nat(2) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('forge a notice' as const), api, of }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('cancel' as const), api, of }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('refund' as const),
      api,
      of,
      tickets: fc.nat(2),
      amount: fc.integer({ min: 1, max: 3_000 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('set capacity' as const), api, capacity: fc.nat(STANDING + 3) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('wait' as const), minutes: fc.constantFrom(1, 5, 15, 25) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('expire holds' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('reconcile' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('send refunds' as const) }) },
);

export type Held = { code: string; who: number; seats: string[] | undefined };
export type Bought = {
  who: number;
  path: string;
  body: unknown;
  key: string;
  orderId: string | undefined;
  answer: { status: number; body: unknown };
};

/** What the buyers of one run remember. */
export type Memory = { held: Held[]; bought: Bought[] };

/** What came of a command: an HTTP status with a code, or done by a worker. */
export type Outcome = { status: number; code: string | undefined; body: unknown };

const DONE: Outcome = { status: 200, code: undefined, body: undefined };
const NOTHING: Outcome = { status: 0, code: 'nothing_to_do', body: undefined };

export async function perform(
  theatre: Theatre,
  hall: Hall,
  memory: Memory,
  command: Command,
): Promise<Outcome> {
  const buyer = (index: number): Client => (theatre.buyers[apiOf(command)] as Client[])[index] as Client;
  const organiser = theatre.organisers[apiOf(command)] as Client;
  const stranger = theatre.strangers[apiOf(command)] as Client;
  switch (command.do) {
    case 'reserve': {
      const { quantity, who } = command;
      const body = { eventId: hall.eventId, ticketTypeId: hall.standing, quantity, ...customer(who) };
      const answer = await buyer(who).post<ReservationView>('/tickets/reserve', body, { key: randomUUID() });
      if (answer.status === 201) memory.held.push({ code: answer.body.reservationId, who, seats: undefined });
      return outcome(answer);
    }
    case 'lock':
    case 'lock best': {
      const { who } = command;
      const wish =
        command.do === 'lock'
          ? { seatIds: command.seats.map((seat) => hall.seats[seat]) }
          : { bestAvailable: { ticketTypeId: hall.seated, quantity: command.quantity } };
      const body = { eventId: hall.eventId, ...wish };
      const answer = await buyer(who).post<LockView>('/seats/lock', body, { key: randomUUID() });
      const { lockId: code, seats } = answer.body;
      if (answer.status === 201) memory.held.push({ code, who, seats: seats.map(({ id }) => id) });
      return outcome(answer);
    }
    case 'release': {
      const held = heldBy(memory, command);
      if (!held) return NOTHING;
      const path = held.seats ? `/seats/lock/${held.code}` : `/tickets/reservation/${held.code}`;
      return outcome(await buyer(held.who).delete(path));
    }
    case 'buy': {
      const { who, quantity, token } = command;
      const wish = { eventId: hall.eventId, ticketTypeId: hall.standing, quantity };
      return purchase(buyer(who), memory, who, '/tickets/purchase', {
        ...wish,
        ...customer(who),
        payment: { token },
      });
    }
    case 'check out': {
      const held = heldBy(memory, command);
      if (!held) return NOTHING;
      const { who, code } = held;
      const payment = { token: command.token };
      return held.seats
        ? purchase(buyer(who), memory, who, '/bookings', { lockId: code, ...customer(who), payment })
        : purchase(buyer(who), memory, who, '/tickets/purchase', { reservationId: code, payment });
    }
    case 'repeat': {
      const bought = boughtBy(memory, command);
      if (!bought) return NOTHING;
      const answer = await buyer(bought.who).post(bought.path, bought.body, { key: bought.key });
      if ([201, 202].includes(answer.status)) {
        bought.orderId = String(answer.body.orderId);
        bought.answer = answer;
      }
      return outcome(answer);
    }
    case 'confirm at the bank': {
      const bought = boughtBy(memory, command);
      return (bought && (await confirm(buyer(bought.who), bought))) ?? NOTHING;
    }
    case 'everybody pays': {
      await Promise.all(memory.bought.map((bought) => confirm(buyer(bought.who), bought)));
      const answers = await Promise.all(
        memory.bought.map(async ({ orderId }) => {
          const payment = orderId && (await paymentOf(theatre, orderId));
          return payment ? notify(theatre, stranger, payment, randomUUID()) : NOTHING;
        }),
      );
      return answers.find(({ status }) => status >= 400) ?? DONE;
    }
    case 'notify':
    case 'forge a notice': {
      const bought = boughtBy(memory, command);
      const reference = bought?.orderId && (await paymentOf(theatre, bought.orderId));
      if (!reference) return NOTHING;
      // The same number twice is the same notice delivered twice.
      return command.do === 'notify'
        ? notify(theatre, stranger, reference, `${reference.id}:${command.notice}`)
        : notify(theatre, stranger, reference, randomUUID(), { forged: true });
    }
    case 'cancel': {
      const bought = boughtBy(memory, command);
      if (!bought?.orderId) return NOTHING;
      return outcome(await buyer(bought.who).delete(`/bookings/${bought.orderId}`, { key: randomUUID() }));
    }
    case 'refund': {
      const bought = boughtBy(memory, command);
      if (!bought?.orderId) return NOTHING;
      const tickets = (bought.answer.body as { tickets?: { id: string }[] }).tickets ?? [];
      const ticketIds = tickets.slice(0, command.tickets).map(({ id }) => id);
      const part = ticketIds.length > 0 ? { ticketIds } : { amountMinor: command.amount };
      const body = { ...part, reason: 'asked for' };
      return outcome(await organiser.post(`/orders/${bought.orderId}/refund`, body, { key: randomUUID() }));
    }
    case 'set capacity': {
      const { capacity } = command;
      const body = { name: 'Standing', priceMinor: 2_500, capacity, perCustomerLimit: LIMIT };
      return outcome(await organiser.patch(`/ticket-types/${hall.standing}`, body));
    }
    case 'wait':
      theatre.clock.set(new Date(theatre.clock.now().getTime() + command.minutes * 60_000));
      return DONE;
    case 'expire holds':
      await expireHolds(theatre.ctx, theatre.ctx.database.relay);
      return DONE;
    case 'reconcile':
      await reconcilePayments(theatre.ctx, theatre.ctx.database.relay, theatre.settleOrder);
      return DONE;
    case 'send refunds':
      await sendDueRefunds(theatre.ctx, theatre.ctx.database.relay);
      return DONE;
  }
}

export function heldBy(memory: Memory, { of }: { of: number }): Held | undefined {
  return memory.held[of % Math.max(memory.held.length, 1)];
}

export function boughtBy(memory: Memory, { of }: { of: number }): Bought | undefined {
  return memory.bought[of % Math.max(memory.bought.length, 1)];
}

const apiOf = (command: Command): number => ('api' in command ? command.api : 0);

function customer(who: number): { customerName: string; customerEmail: string } {
  const name = BUYERS[who] as string;
  return { customerName: name, customerEmail: `${name}@example.com` };
}

async function purchase(
  client: Client,
  memory: Memory,
  who: number,
  path: string,
  body: unknown,
): Promise<Outcome> {
  const key = randomUUID();
  const answer = await client.post(path, body, { key });
  const orderId = typeof answer.body.orderId === 'string' ? answer.body.orderId : undefined;
  memory.bought.push({ who, path, body, key, orderId, answer });
  return outcome(answer);
}

/** What a buyer does on the page of the bank; undefined when the bank did not ask. */
async function confirm(buyer: Client, { answer }: Bought): Promise<Outcome | undefined> {
  const { nextAction } = (answer.body ?? {}) as { nextAction?: { url: string } | null };
  if (!nextAction) return undefined;
  return outcome(await buyer.post(new URL(nextAction.url).pathname.replace('/api', '')));
}

/** A notice of the provider, or one of somebody who does not know its secret. */
async function notify(
  theatre: Theatre,
  stranger: Client,
  payment: { tenant_id: string; id: string },
  name: string,
  { forged = false } = {},
): Promise<Outcome> {
  const now = theatre.clock.now();
  const { tenant_id: tenant, id: reference } = payment;
  const body = JSON.stringify({ id: name, type: 'charge.changed', tenant, reference });
  const proof = forged
    ? `${now.getTime()}.${createHash('sha256').update(body).digest('hex')}`
    : noticeSignature(theatre.ctx, now, body);
  return outcome(
    await stranger.post('/payments/webhook/test', body, { headers: { 'test-signature': proof } }),
  );
}

async function paymentOf(
  theatre: Theatre,
  orderId: string,
): Promise<{ tenant_id: string; id: string } | undefined> {
  const { rows } = await theatre.ctx.database.owner.query(
    'select tenant_id, id from payments where order_id = $1',
    [orderId],
  );
  return rows[0];
}

function outcome(answer: { status: number; body: unknown }): Outcome {
  const { code } = (answer.body ?? {}) as { code?: string };
  return { status: answer.status, code, body: answer.body };
}
