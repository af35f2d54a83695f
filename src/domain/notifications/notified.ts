import type { Message } from '../../messages.ts';

/** The kinds of messages that somebody is written to about. */
export const notifiedKinds = [
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
] as const;
export type NotifiedKind = (typeof notifiedKinds)[number];
export type Notified = Extract<Message, { kind: NotifiedKind }>;
