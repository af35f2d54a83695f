import { z } from 'zod';
import type { Topology } from './platform/bus.ts';

const id = z.uuid();
const wallet = z.string().min(32).max(44);
const minor = z.int().nonnegative();

/** Every kind of message, with its body. A kind is also its routing key. */
export const bodies = {
  /** An order was paid and its tickets exist. */
  'ticket.purchased': z.strictObject({
    orderId: id,
    transactionId: z.string(),
    eventId: id,
    userId: z.string(),
    ticketIds: z.array(id),
    amountMinor: minor,
    currency: z.string(),
  }),
  /** Work: put these tickets on the chain. */
  'ticket.mint': z.strictObject({ eventId: id, ticketIds: z.array(id) }),
  /** Work: prove the counter of a ticket type against the rows it counts, and repair the cache. */
  'ticket.capacity.updates': z.strictObject({
    eventId: id,
    ticketTypeId: id,
    capacityChange: z.int(),
    transactionId: z.string(),
    operation: z.enum(['sale', 'release', 'edit']),
    version: z.int(),
  }),
  /** Work: move the purchase record and write the audit trail. */
  'ticket.transactions': z.strictObject({
    transactionId: z.string(),
    orderId: id,
    userId: z.string(),
    eventId: id,
    quantity: z.int(),
    amount: minor,
    currency: z.string(),
    status: z.enum(['completed', 'failed']),
  }),
  'ticket.minted': z.strictObject({
    ticketId: id,
    eventId: id,
    userId: z.string(),
    mint: wallet,
    owner: wallet,
    signature: z.string(),
  }),
  /** Work: carry out an accepted transfer on the chain. */
  'ticket.transfer': z.strictObject({ transferId: id, ticketId: id, eventId: id }),
  /** Staff ordered a transfer of a ticket that is not theirs; `userId` is its holder. */
  'ticket.transfer_ordered': z.strictObject({
    transferId: id,
    ticketId: id,
    eventId: id,
    userId: z.string(),
    reason: z.string(),
  }),
  /** Work: burn the NFT of a revoked ticket. */
  'ticket.revoke': z.strictObject({ ticketId: id, eventId: id, reason: z.string() }),
  /** Work: mark an admitted ticket as used on the chain. */
  'ticket.check_in': z.strictObject({ ticketId: id, eventId: id }),
  'ticket.transferred': z.strictObject({
    ticketId: id,
    eventId: id,
    fromUserId: z.string(),
    toUserId: z.string(),
    fromWallet: wallet,
    toWallet: wallet,
    signature: z.string(),
  }),
  'ticket.checked_in': z.strictObject({ ticketId: id, eventId: id, scanId: id, at: z.iso.datetime() }),
  'ticket.revoked': z.strictObject({ ticketId: id, eventId: id, userId: z.string(), reason: z.string() }),
  'ticket.expired': z.strictObject({ ticketId: id, eventId: id, userId: z.string() }),
  /** Work: pay money back that was promised. */
  'payment.refund': z.strictObject({
    refundId: id,
    orderId: id,
    amountMinor: minor,
    currency: z.string(),
    reason: z.string(),
  }),
  /** Places of a reservation, a lock or an offer are on sale again because nobody paid in time. */
  'hold.expired': z.strictObject({
    holdId: id,
    eventId: id,
    ticketTypeId: id,
    userId: z.string(),
    code: z.string(),
  }),
  /** Somebody on a waiting list may buy now. */
  'waiting.offered': z.strictObject({
    entryId: id,
    eventId: id,
    userId: z.string(),
    code: z.string(),
    quantity: z.int(),
    expiresAt: z.iso.datetime(),
  }),
} as const;

export type MessageKind = keyof typeof bodies;
export type Body<K extends MessageKind> = z.infer<(typeof bodies)[K]>;
/** What a verb hands to `enqueue`. */
export type Message = { [K in MessageKind]: { kind: K; body: Body<K> } }[MessageKind];

/** Which kinds reach which queue. Every kind has at least one: an unroutable message is a failure. */
export const topology = {
  'ticket.mint': ['ticket.mint'],
  blockchain: ['ticket.transfer', 'ticket.revoke', 'ticket.check_in', 'ticket.revoked', 'ticket.checked_in'],
  'ticket.capacity.updates': ['ticket.capacity.updates'],
  'ticket.transactions': ['ticket.transactions'],
  payments: ['payment.refund', 'ticket.revoked'],
  notifications: [
    'ticket.purchased',
    'ticket.minted',
    'ticket.transfer_ordered',
    'ticket.transferred',
    'ticket.revoked',
    'ticket.expired',
    'ticket.transactions',
    'payment.refund',
    'hold.expired',
    'waiting.offered',
  ],
  analytics: [
    'ticket.purchased',
    'ticket.minted',
    'ticket.transferred',
    'ticket.checked_in',
    'ticket.revoked',
    'ticket.expired',
  ],
} as const satisfies Topology;

export type QueueName = keyof typeof topology;
