import { sql } from 'kysely';
import { decodeEvent } from '../../../../programs-client/accounts.ts';
import { type Address, toAddress } from '../../../../programs-client/addresses.ts';
import type { TransferPolicy } from '../../../../programs-client/event-rules.ts';
import { createEvent } from '../../../../programs-client/instructions/create-event.ts';
import { registerOrganizer } from '../../../../programs-client/instructions/register-organizer.ts';
import { updateEvent } from '../../../../programs-client/instructions/update-event.ts';
import { eventAddress, organizerAddress } from '../../../../programs-client/pdas.ts';
import { type TenantId, uuidBytes } from '../../../platform/ids.ts';
import { waitFor } from '../../../platform/retry.ts';
import { type TenantTx, withTenant } from '../../../platform/tenant-tx.ts';
import { findEvent } from '../../events/queries.ts';
import { OPINIONS } from '../rpc/agree.ts';
import { organizerKey } from './chain-context.ts';
import { draftOfInstruction } from './draft-of-instruction.ts';
import { type EventTerms, findEventTerms, giveEventTerms } from './event-terms.ts';
import { resaleRules } from './face-value.ts';
import { notNow } from './not-now.ts';
import type { SendingContext } from './sending-context.ts';
import { ProgramRefusal, submitTransaction } from './submit-transactions.ts';

export type EventOnChain = EventTerms & { organizer: Address; event: Address };

/** How long a job waits for an account it needs before it lets others go first. */
const PATIENCE_MS = 8_000;

const policies: Record<string, TransferPolicy> = {
  open: 'open',
  organiser_approved: 'organizer_approved',
  resale_only: 'resale_only',
  locked: 'locked',
};

/**
 * The accounts of an event on chain, made when they are missing: the tenant's organizer first, then the event. They are
 * looked for until they are final: what a fork drops is made again.
 * @throws DomainError unavailable while they are on their way
 */
export async function ensureEvent(
  ctx: SendingContext,
  tenantId: TenantId,
  eventId: string,
): Promise<EventOnChain> {
  const programId = toAddress(ctx.programId);
  const organizer = organizerAddress(programId, uuidBytes(tenantId));
  const event = eventAddress(programId, organizer, uuidBytes(eventId));
  const known = await findEventTerms(ctx, tenantId, eventId);
  if (known?.registered) return { organizer, event, rentRecipient: known.rentRecipient, coin: known.coin };
  await ensureOrganizer(ctx, tenantId, organizer);
  return registerEvent(ctx, tenantId, eventId, { organizer, event });
}

async function ensureOrganizer(ctx: SendingContext, tenantId: TenantId, organizer: Address): Promise<void> {
  const authority = toAddress(await ctx.signer.address(organizerKey(tenantId)));
  const row = await withTenant(ctx.db, tenantId, (tx) =>
    tx
      .insertInto('chain_organizers')
      .values({ tenant_id: tenantId, address: organizer, authority })
      .onConflict((conflict) => conflict.column('tenant_id').doUpdateSet({ address: organizer }))
      .returning('registered_at')
      .executeTakeFirstOrThrow(),
  );
  if (row.registered_at) return;
  const admin = toAddress(await ctx.signer.address({ use: 'admin' }));
  const isFinal = await ensureAccount(ctx, organizer, () =>
    submitTransaction(
      ctx,
      tenantId,
      draftOfInstruction({
        purpose: 'register_organizer',
        subjects: [{ id: tenantId }],
        signers: [{ use: 'admin' }],
        instruction: 'register_organizer',
        build: (payer) =>
          registerOrganizer(toAddress(ctx.programId), {
            payer: toAddress(payer),
            admin,
            tenantId: uuidBytes(tenantId),
            authority,
            feeRecipient: authority,
            resaleFeeBps: 0,
          }),
      }),
    ),
  );
  if (!isFinal) return;
  await withTenant(ctx.db, tenantId, (tx) =>
    tx
      .updateTable('chain_organizers')
      .set({ registered_at: ctx.clock.now() })
      .where('tenant_id', '=', tenantId)
      .execute(),
  );
}

async function registerEvent(
  ctx: SendingContext,
  tenantId: TenantId,
  eventId: string,
  accounts: { organizer: Address; event: Address },
): Promise<EventOnChain> {
  const { rules, maxSupply } = await withTenant(ctx.db, tenantId, async (tx) => {
    const event = await findEvent(tx, tenantId, eventId);
    if (!event) throw new Error(`event ${eventId} does not exist`);
    return {
      rules: { transferPolicy: event.transfer_policy, resaleCapBps: event.resale_cap_bps },
      maxSupply: await totalCapacity(tx, tenantId, eventId),
    };
  });
  const terms = await giveEventTerms(ctx, { tenantId, eventId, address: accounts.event, maxSupply });
  const { transferPolicy, resaleCapBps } = resaleRules(rules, terms.coin);
  const authority = toAddress(await ctx.signer.address(organizerKey(tenantId)));
  const gateAuthority = toAddress(await ctx.signer.address({ use: 'gate', tenantId }));
  const isFinal = await ensureAccount(ctx, accounts.event, () =>
    submitTransaction(
      ctx,
      tenantId,
      draftOfInstruction({
        purpose: 'create_event',
        subjects: [{ id: eventId }],
        signers: [organizerKey(tenantId)],
        instruction: 'create_event',
        build: (payer) =>
          createEvent(toAddress(ctx.programId), {
            payer: toAddress(payer),
            authority,
            organizer: accounts.organizer,
            eventId: uuidBytes(eventId),
            gateAuthority,
            rentRecipient: terms.rentRecipient,
            maxSupply,
            resaleCapBps,
            transferPolicy: policies[transferPolicy] ?? 'locked',
            keepCollectible: true,
            currencyMint: terms.coin && toAddress(terms.coin.mint),
          }),
      }),
    ),
  );
  if (isFinal)
    await withTenant(ctx.db, tenantId, (tx) =>
      tx
        .updateTable('chain_events')
        .set({ registered_at: ctx.clock.now() })
        .where('tenant_id', '=', tenantId)
        .where('event_id', '=', eventId)
        .execute(),
    );
  return { ...accounts, rentRecipient: terms.rentRecipient, coin: terms.coin };
}

/** Lets the event on chain hold one more ticket than place `index`, after the capacity grew or places were used up. */
export async function growEvent(
  ctx: SendingContext,
  tenantId: TenantId,
  eventId: string,
  accounts: EventOnChain,
  index: number,
): Promise<void> {
  const capacity = await withTenant(ctx.db, tenantId, (tx) => totalCapacity(tx, tenantId, eventId));
  const maxSupply = Math.max(capacity, index + 1);
  const authority = toAddress(await ctx.signer.address(organizerKey(tenantId)));
  await submitTransaction(
    ctx,
    tenantId,
    draftOfInstruction({
      purpose: 'grow_event',
      subjects: [{ id: eventId }],
      signers: [organizerKey(tenantId)],
      instruction: 'update_event',
      build: () => {
        const { organizer, event } = accounts;
        return updateEvent(toAddress(ctx.programId), { authority, organizer, event, maxSupply });
      },
    }),
  );
  const seen = await waitFor(
    async () => {
      const { value } = await ctx.rpc.ask((node) =>
        node.getAccounts([accounts.event], { commitment: 'confirmed' }),
      );
      const size = value[0] ? decodeEvent(value[0].data).maxSupply : 0;
      return size > index && size;
    },
    { timeoutMs: PATIENCE_MS, everyMs: 150 },
  );
  if (!seen) throw notNow('the event has not grown yet');
  await withTenant(ctx.db, tenantId, (tx) =>
    tx
      .updateTable('chain_events')
      .set({ max_supply: seen })
      .where('tenant_id', '=', tenantId)
      .where('event_id', '=', eventId)
      .where('max_supply', '<', seen)
      .execute(),
  );
}

/** Runs `make` unless the account is there, then waits until it is. Returns whether it is final. */
async function ensureAccount(
  ctx: SendingContext,
  address: Address,
  make: () => Promise<void>,
): Promise<boolean> {
  if (await isFinalAccount(ctx, address)) return true;
  const exists = async (): Promise<boolean> => {
    const { value } = await ctx.rpc.ask((node) => node.getAccounts([address], { commitment: 'confirmed' }));
    return value[0]?.owner === ctx.programId;
  };
  if (await exists()) return false;
  try {
    await make();
  } catch (error) {
    // Somebody else made it meanwhile, which is as good.
    if (!(error instanceof ProgramRefusal && (await exists()))) throw error;
  }
  if (!(await waitFor(exists, { timeoutMs: PATIENCE_MS, everyMs: 150 }))) {
    throw notNow(`the account ${address} is not there yet`);
  }
  return false;
}

/** Whether as many nodes as a proof needs show an account of ours as final: from then on no fork takes it away. */
export async function isFinalAccount(ctx: SendingContext, address: Address): Promise<boolean> {
  const views = await ctx.rpc.askEach((node) => node.getAccounts([address], { commitment: 'finalized' }));
  const showing = views.filter(({ value: [account] }) => account?.owner === ctx.programId);
  return showing.length >= Math.min(OPINIONS, ctx.rpc.size);
}

async function totalCapacity(tx: TenantTx, tenantId: TenantId, eventId: string): Promise<number> {
  const row = await tx
    .selectFrom('inventory')
    .select(sql<number>`greatest(coalesce(sum(capacity), 0), 1)::integer`.as('capacity'))
    .where('tenant_id', '=', tenantId)
    .where('event_id', '=', eventId)
    .executeTakeFirstOrThrow();
  return row.capacity;
}
