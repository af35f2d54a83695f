import type { AppContext } from '../../context.ts';
import type { Actor } from '../../platform/actor.ts';
import { findStoredAnswer } from './find-stored-answer.ts';
import { type SaleRow, soldOut } from './sale-refusal.ts';
import type { SoldOutGate } from './sold-out-gate.ts';

export type ShedRequest = (
  actor: Actor,
  wanted: { ticketTypeId: string; quantity: number },
  question: { route: string; idempotencyKey: string; request: unknown },
) => Promise<SaleRow | undefined>;

/**
 * Refuses before the hot row what was sold out a moment ago; only who was answered before gets that answer again.
 * Undefined for what the gate lets through.
 * @throws DomainError conflict `sold_out`
 */
export function createShedRequest(
  ctx: Pick<AppContext, 'db' | 'clock' | 'metrics'>,
  gate: SoldOutGate,
): ShedRequest {
  const findStored = findStoredAnswer(ctx);
  return async (actor, { ticketTypeId, quantity }, question) => {
    const left = gate.closedAt(actor.tenantId, ticketTypeId);
    if (left === undefined || quantity <= left) return undefined;
    const stored = await findStored(actor, question);
    ctx.metrics.sales.inc({ outcome: stored ? stored.outcome : 'shed' });
    if (!stored) throw soldOut(left);
    return stored;
  };
}
