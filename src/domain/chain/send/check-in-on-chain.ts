import { toAddress } from '../../../../programs-client/addresses.ts';
import { checkIn } from '../../../../programs-client/instructions/check-in.ts';
import type { TenantId } from '../../../platform/ids.ts';
import { draftOfInstruction } from './draft-of-instruction.ts';
import { findTicketOnChain } from './find-ticket-on-chain.ts';
import type { SendingContext } from './sending-context.ts';
import { submitTransaction } from './submit-transactions.ts';

/** Marks a ticket as used on the chain too, after the gate admitted it: from then on it cannot be sold as unused. */
export async function checkInOnChain(
  ctx: SendingContext,
  input: { tenantId: TenantId; ticketId: string },
): Promise<void> {
  const { tenantId, ticketId } = input;
  const found = await findTicketOnChain(ctx, tenantId, ticketId);
  if (found?.account.status !== 'active') return;
  const gateAuthority = toAddress(await ctx.signer.address({ use: 'gate', tenantId }));
  await submitTransaction(
    ctx,
    tenantId,
    draftOfInstruction({
      purpose: 'check_in',
      subjects: [{ id: ticketId, ticketId }],
      signers: [{ use: 'gate', tenantId }],
      instruction: 'check_in',
      build: () =>
        checkIn(toAddress(ctx.programId), { gateAuthority, event: found.event, index: found.index }),
    }),
  );
}
