import type { AppContext } from '../../context.ts';
import { type Actor, requireRole } from '../../platform/actor.ts';
import { DomainError } from '../../platform/errors.ts';
import { newId } from '../../platform/ids.ts';
import { withTenant } from '../../platform/tenant-tx.ts';

const VALID_MS = 10 * 60_000;

/** A text for the wallet to sign. It names everything it is good for, so a signature cannot be used elsewhere. */
export async function challengeWallet(
  ctx: AppContext,
  actor: Actor,
  input: { address: string },
): Promise<{ challengeId: string; message: string; expiresAt: string }> {
  requireRole(actor, 'buyer');
  if (!ctx.chain.isAddress(input.address)) {
    throw new DomainError('invalid', 'bad_address', 'This is no address of a wallet.');
  }
  const now = ctx.clock.now();
  const id = newId();
  const expiresAt = new Date(now.getTime() + VALID_MS);
  const message = [
    'Link this wallet to my ticket account.',
    '',
    `Wallet: ${input.address}`,
    `Account: ${actor.subject}`,
    `Organiser: ${actor.tenantId}`,
    `Service: ${ctx.config.PUBLIC_URL}`,
    `Challenge: ${id}`,
    `Valid until: ${expiresAt.toISOString()}`,
  ].join('\n');
  await withTenant(ctx.db, actor.tenantId, (tx) =>
    tx
      .insertInto('wallet_challenges')
      .values({
        tenant_id: actor.tenantId,
        id,
        user_id: actor.subject,
        address: input.address,
        message,
        expires_at: expiresAt,
      })
      .execute(),
  );
  return { challengeId: id, message, expiresAt: expiresAt.toISOString() };
}
