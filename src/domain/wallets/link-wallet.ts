import type { AppContext } from '../../context.ts';
import { type Actor, actorName, requireRole } from '../../platform/actor.ts';
import { recordAudit } from '../../platform/audit.ts';
import { DomainError } from '../../platform/errors.ts';
import { withTenant } from '../../platform/tenant-tx.ts';
import { claimTickets } from '../tickets/claim-tickets.ts';
import { publishTicket } from '../tickets/publish-ticket.ts';
import { lockWallets } from './queries.ts';

export type WalletView = {
  address: string;
  custody: 'custodial' | 'linked';
  isPrimary: boolean;
  verifiedAt: string;
};

/** Links a wallet whose key signed our challenge, and makes it the one that new tickets go to. */
export async function linkWallet(
  ctx: AppContext,
  actor: Actor,
  input: { challengeId: string; signature: string },
): Promise<WalletView> {
  requireRole(actor, 'buyer');
  const { tenantId } = actor;
  const now = ctx.clock.now();
  const { wallet, claimed } = await withTenant(ctx.db, tenantId, async (tx) => {
    await lockWallets(tx, tenantId, [actor.subject]);
    // Used up by this very statement: of two that come together one finds nothing.
    const challenge = await tx
      .updateTable('wallet_challenges')
      .set({ used_at: now })
      .where('tenant_id', '=', tenantId)
      .where('id', '=', input.challengeId)
      .where('user_id', '=', actor.subject)
      .where('used_at', 'is', null)
      .where('expires_at', '>', now)
      .returning(['address', 'message'])
      .executeTakeFirst();
    const signature = Buffer.from(input.signature, 'base64');
    if (
      !challenge ||
      !ctx.chain.verifySignature(challenge.address, Buffer.from(challenge.message), signature)
    ) {
      throw new DomainError(
        'unprocessable',
        'wallet_not_proven',
        'The challenge is not signed by this wallet.',
      );
    }
    await tx
      .updateTable('wallets')
      .set({ is_primary: false })
      .where('tenant_id', '=', tenantId)
      .where('user_id', '=', actor.subject)
      .execute();
    const linked = await tx
      .insertInto('wallets')
      .values({
        tenant_id: tenantId,
        address: challenge.address,
        user_id: actor.subject,
        custody: 'linked',
        is_primary: true,
        verified_at: now,
        created_at: now,
      })
      .onConflict((conflict) =>
        conflict
          .columns(['tenant_id', 'address'])
          .doUpdateSet({ is_primary: true, verified_at: now })
          .where('wallets.user_id', '=', actor.subject)
          .where('wallets.custody', '=', 'linked'),
      )
      .executeTakeFirst();
    if (linked.numInsertedOrUpdatedRows === 0n) {
      throw new DomainError('conflict', 'wallet_taken', 'This wallet belongs to another account.');
    }
    const claimed = await claimTickets(tx, tenantId, now, {
      wallet: challenge.address,
      userId: actor.subject,
    });
    await recordAudit(tx, tenantId, now, {
      actor: actorName(actor),
      action: 'wallet.linked',
      subject: challenge.address,
      details: {},
    });
    const wallet: WalletView = {
      address: challenge.address,
      custody: 'linked',
      isPrimary: true,
      verifiedAt: now.toISOString(),
    };
    return { wallet, claimed };
  });
  for (const id of claimed) await publishTicket(ctx, tenantId, id);
  return wallet;
}
