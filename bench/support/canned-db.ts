import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import type { PaymentProvider } from '../../src/context.ts';
import type { Db } from '../../src/platform/db.ts';

type Call = string | { name?: string; text: string; values?: unknown[] };
type Row = Record<string, unknown>;
type Request = { n: number; order_id: string; event_id?: string; ticket_type_id?: string; quantity?: number };

/** A database that answers at once: the tenant is open, everything is for sale, everything is paid. */
export function createCannedDb(): Db {
  const client = {
    query: async (call: Call, values?: unknown[]) => {
      const { name, text } = typeof call === 'string' ? { name: undefined, text: call } : call;
      const given = values ?? (typeof call === 'string' ? [] : call.values) ?? [];
      const rows = answer(name, text, given);
      return { rows, rowCount: rows.length, command: text.trim().toUpperCase() };
    },
    release: () => undefined,
    on: () => undefined,
  };
  const pool = { connect: async () => client } as unknown as pg.Pool;
  return { pool, close: async () => undefined };
}

function answer(name: string | undefined, text: string, values: unknown[]): Row[] {
  switch (name) {
    case 'place_orders':
      return place(values[4]);
    case 'settle_orders':
      return settle(values[3]);
    case 'sell':
      return [...settle(values[3]), ...place(values[6])];
    default:
      return /"tenants"/.test(text) ? [{ is_active: true }] : [];
  }
}

function place(requests: unknown): Row[] {
  return (JSON.parse(String(requests)) as Request[]).map(({ n, event_id: eventId, quantity }) => ({
    kind: 'place',
    n,
    outcome: 'placed',
    details: { eventId, quantity, amountMinor: 2_500, currency: 'EUR' },
  }));
}

function settle(requests: unknown): Row[] {
  return (JSON.parse(String(requests)) as Request[]).map(({ n, order_id }) => ({
    kind: 'settle',
    n,
    outcome: 'paid',
    details: order(order_id),
  }));
}

function order(orderId: string): Row {
  return {
    orderId,
    transactionId: 'TXN_20260101000000_ABCDEFGH',
    status: 'paid',
    eventId: randomUUID(),
    ticketTypeId: randomUUID(),
    quantity: 1,
    subtotalMinor: 2_500,
    discountMinor: 0,
    amountMinor: 2_500,
    currency: 'EUR',
    tickets: [{ id: randomUUID(), ticketNumber: '001-0000001', status: 'sold', seat: null }],
  };
}

/** A provider whose every charge succeeds at once. */
export function createCannedProvider(): PaymentProvider {
  const refuse = async (): Promise<never> => {
    throw new Error('nothing but charges is measured');
  };
  return {
    name: 'test',
    charge: async ({ reference }) => ({ status: 'succeeded', providerReference: `test_${reference}` }),
    look: refuse,
    refund: refuse,
    readNotice: refuse,
  };
}
