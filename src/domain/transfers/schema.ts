import { z } from '@hono/zod-openapi';
import { line, text, uuid } from '../../platform/http/shapes.ts';
import { isUserId } from '../../platform/user-id.ts';

export const transferStatuses = ['offered', 'requested', 'completed', 'failed', 'cancelled'] as const;

export const transferInput = z
  .strictObject({
    toUserId: text(128, 1).refine(isUserId, 'must not be a name that is reserved').optional(),
    toWallet: text(44, 32).optional(),
    requireAcceptance: z
      .boolean()
      .default(false)
      .openapi({ description: 'Nothing moves before the receiver accepts' }),
    reason: line(500, 1).optional().openapi({
      description: 'Required of staff for a ticket of somebody else, who is told; else it is not kept',
    }),
  })
  .refine((input) => (input.toUserId === undefined) !== (input.toWallet === undefined), {
    message: 'exactly one of toUserId and toWallet',
  })
  .refine((input) => !input.requireAcceptance || input.toUserId !== undefined, {
    message: 'only a user can accept',
    path: ['requireAcceptance'],
  })
  .openapi('TransferInput');
export type TransferInput = z.output<typeof transferInput>;

export const transferShape = z
  .object({
    id: uuid,
    ticketId: uuid,
    fromUserId: z.string(),
    toUserId: z.string().nullable(),
    toWallet: z.string().nullable(),
    status: z.enum(transferStatuses),
    failureCode: z.string().nullable(),
    expiresAt: z.string().nullable().openapi({ description: 'Until when an offer can be accepted' }),
    createdAt: z.string(),
    updatedAt: z.string(),
  })
  .openapi('Transfer', {
    description: 'requested: the chain is at it; completed: the chain confirmed the new owner',
  });
export type TransferView = z.output<typeof transferShape>;
