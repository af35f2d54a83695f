import { z } from '@hono/zod-openapi';
import { pageQuery, text, uuid } from '../../platform/http/shapes.ts';
import { ticketStatuses } from './ticket-state.ts';

const status = z.enum(ticketStatuses);
export const syncStatuses = ['none', 'pending', 'provisional', 'finalized', 'mismatch', 'parked'] as const;

export const ticketShape = z
  .object({
    id: uuid,
    eventId: uuid,
    ticketTypeId: uuid,
    orderId: uuid,
    userId: z.string(),
    ticketNumber: z.string(),
    holderName: z.string(),
    seat: z.string().nullable(),
    status,
    priceMinor: z.int(),
    currency: z.string(),
    version: z.int(),
    nftMint: z.string().nullable(),
    ownerWallet: z.string().nullable(),
    blockchainSyncStatus: z.enum(syncStatuses),
    createdAt: z.string(),
    updatedAt: z.string(),
  })
  .openapi('Ticket');
export type TicketView = z.output<typeof ticketShape>;

export const ticketDetailShape = ticketShape
  .extend({
    mintsAhead: z.int().nullable().openapi({
      description:
        'While the ticket is sold or minting: how many of the organiser’s tickets were sold before it and wait for the chain, counted up to 1000; afterwards null',
    }),
  })
  .openapi('TicketDetail');
export type TicketDetail = z.output<typeof ticketDetailShape>;

export const ticketFilter = z.strictObject({
  ...pageQuery,
  userId: text(128, 1).optional(),
  eventId: uuid.optional(),
  status: status.optional(),
});
export type TicketFilter = z.output<typeof ticketFilter>;

export const historyShape = z
  .object({
    items: z.array(
      z.object({
        version: z.int(),
        from: status,
        to: status,
        at: z.string(),
        actor: z.string().openapi({
          description: 'To a holder: themselves, worker:… or chain:…, scan, and other for everybody else',
        }),
        reason: z.string().nullable(),
        signature: z
          .string()
          .nullable()
          .openapi({ description: 'Of the chain transaction that brought the step' }),
        gate: z.string().nullable().openapi({ description: 'Where the ticket was scanned' }),
      }),
    ),
  })
  .openapi('TicketHistory');

export const codeShape = z
  .object({
    code: z.string(),
    ticketId: uuid,
    eventId: uuid,
    issuedAt: z.string(),
  })
  .openapi('TicketCode', {
    description: 'Also as text/plain, image/svg+xml or image/png, by the Accept header',
  });

export const revokeInput = z
  .strictObject({
    reason: z.enum(['refunded', 'cancelled', 'fraud', 'duplicate', 'other']).openapi({
      description:
        'With fraud, duplicate and other no money goes back and the place stays taken. refunded and cancelled are refused with refund_instead, which names the order to refund',
    }),
    note: text(500).optional(),
  })
  .openapi('RevokeInput');
export type RevokeInput = z.output<typeof revokeInput>;
