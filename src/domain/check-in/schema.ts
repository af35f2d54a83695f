import { z } from '@hono/zod-openapi';
import { exampleIds } from '../../platform/http/example-ids.ts';
import { instant, text, uuid } from '../../platform/http/shapes.ts';

export const scanReasons = [
  'invalid',
  'stale_code',
  'wrong_event',
  'wrong_gate',
  'not_yet_valid',
  'expired',
  'already_used',
  'revoked',
  'refunded',
  'cancelled',
  'transferred',
  'unpaid',
  'not_minted',
  'owner_mismatch',
  'chain_unavailable',
  'blocked',
  'rules',
  'error',
] as const;
export type ScanReason = (typeof scanReasons)[number];

export const validateInput = z
  .strictObject({
    qr: text(1_000, 1),
    eventId: uuid,
    gate: text(50, 1).optional(),
    direction: z.enum(['entry', 'exit']).default('entry'),
    scannedAt: instant.optional().openapi({ description: "The device's time" }),
    nonce: uuid.openapi({
      description: 'One per physical scan: a repetition of an admitting scan gets its verdict again',
    }),
    policy: z
      .enum(['cached', 'strict'])
      .optional()
      .openapi({ description: 'strict refuses without a live answer of the chain' }),
  })
  .openapi('ValidateInput');
export type ValidateInput = z.output<typeof validateInput>;

export const scanExample: z.input<typeof validateInput> = {
  qr: exampleIds.code,
  eventId: exampleIds.eventId,
  gate: 'north',
  nonce: '2f4e7b1c-8a5d-4c36-9e0f-1b7d6a3c5e92',
};

export const verdictShape = z
  .object({
    status: z.enum(['ok', 'error']),
    reason: z.enum(scanReasons).nullable(),
    explanation: z.string(),
    scanId: uuid,
    replayed: z.boolean(),
    ticket: z
      .object({
        id: uuid,
        ticketNumber: z.string(),
        ticketType: z.string(),
        holderName: z.string(),
        seat: z.string().nullable(),
        flags: z.array(z.string()),
      })
      .nullable(),
    firstScan: z.object({ at: z.string(), gate: z.string().nullable(), device: z.string() }).nullable(),
    chain: z
      .object({
        owner: z.string().nullable(),
        slot: z.int().nullable(),
        checkedAt: z.string(),
        mode: z.enum(['live', 'copy', 'last_known', 'none']),
      })
      .nullable(),
  })
  .openapi('Verdict');
export type Verdict = z.output<typeof verdictShape>;
