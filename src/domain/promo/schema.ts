import { z } from '@hono/zod-openapi';
import { currency, instant, minorAmount, uuid } from '../../platform/http/shapes.ts';

export const promoCodeText = z
  .string()
  .trim()
  .toUpperCase()
  .regex(/^[A-Z0-9_-]{3,40}$/, 'must be 3 to 40 letters, digits, - or _');

export const promoInput = z
  .strictObject({
    code: promoCodeText,
    eventId: uuid.optional().openapi({ description: 'Only for this event' }),
    percent: z.int().min(1).max(100).optional(),
    amountMinor: minorAmount.min(1).optional(),
    currency: currency
      .optional()
      .openapi({ description: 'Of amountMinor; the code is for events sold in it' }),
    maxRedemptions: z.int().min(1).max(10_000_000).optional(),
    perUserLimit: z.int().min(1).max(1_000).optional(),
    validFrom: instant.optional(),
    validUntil: instant.optional(),
  })
  .refine(
    (input) => (input.percent === undefined) !== (input.amountMinor === undefined),
    'exactly one of percent and amountMinor',
  )
  .refine((input) => (input.currency === undefined) === (input.amountMinor === undefined), {
    message: 'comes with amountMinor, and only with it',
    path: ['currency'],
  })
  .refine((input) => !input.validFrom || !input.validUntil || input.validUntil > input.validFrom, {
    message: 'must lie after validFrom',
    path: ['validUntil'],
  })
  .openapi('PromoCodeInput');
export type PromoInput = z.output<typeof promoInput>;

export const promoShape = z
  .object({
    id: uuid,
    code: z.string(),
    eventId: z.uuid().nullable(),
    percent: z.int().nullable(),
    amountMinor: z.int().nullable(),
    currency: z.string().nullable(),
    maxRedemptions: z.int().nullable(),
    perUserLimit: z.int().nullable(),
    redeemed: z.int(),
    validFrom: z.string().nullable(),
    validUntil: z.string().nullable(),
    isActive: z.boolean(),
  })
  .openapi('PromoCode');
export type PromoView = z.output<typeof promoShape>;
