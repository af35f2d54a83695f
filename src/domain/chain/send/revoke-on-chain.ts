import { toAddress } from '../../../../programs-client/addresses.ts';
import type { RevokeReason } from '../../../../programs-client/event-rules.ts';
import { revoke } from '../../../../programs-client/instructions/revoke.ts';
import type { TenantId } from '../../../platform/ids.ts';
import { organizerKey } from './chain-context.ts';
import { draftOfInstruction } from './draft-of-instruction.ts';
import { findTicketOnChain } from './find-ticket-on-chain.ts';
import type { SendingContext } from './sending-context.ts';
import { submitTransaction } from './submit-transactions.ts';

const reasons: Record<string, RevokeReason> = {
  refunded: 'refunded',
  cancelled: 'event_cancelled',
  fraud: 'fraud',
};

/** Burns the NFT of a revoked ticket. Its tombstone stays, so the place can never be minted again. */
export async function revokeOnChain(
  ctx: SendingContext,
  input: { tenantId: TenantId; ticketId: string; reason: string },
): Promise<void> {
  const { tenantId, ticketId } = input;
  const found = await findTicketOnChain(ctx, tenantId, ticketId);
  if (!found || found.account.status === 'revoked') return;
  const authority = toAddress(await ctx.signer.address(organizerKey(tenantId)));
  await submitTransaction(
    ctx,
    tenantId,
    draftOfInstruction({
      purpose: 'revoke',
      subjects: [{ id: ticketId, ticketId }],
      signers: [organizerKey(tenantId)],
      instruction: 'revoke',
      build: () =>
        revoke(toAddress(ctx.programId), {
          authority,
          organizer: found.organizer,
          event: found.event,
          index: found.index,
          holder: found.account.holder,
          rentRecipient: found.rentRecipient,
          reason: reasons[input.reason] ?? 'other',
        }),
    }),
  );
}
