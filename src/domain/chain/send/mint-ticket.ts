import { decodeTicket } from '../../../../programs-client/accounts.ts';
import { toAddress } from '../../../../programs-client/addresses.ts';
import { mintTicket as buildMint } from '../../../../programs-client/instructions/mint-ticket.ts';
import { ticketAddresses } from '../../../../programs-client/pdas.ts';
import { RetryableError } from '../../../platform/errors.ts';
import { type TenantId, uuidBytes, uuidOf } from '../../../platform/ids.ts';
import { type TenantTx, withTenant } from '../../../platform/tenant-tx.ts';
import { lockTicket, type TicketRow } from '../../tickets/queries.ts';
import { NFT_SYMBOL } from '../../tickets/show-nft.ts';
import { stepTicket } from '../../tickets/step-ticket.ts';
import { openCustodialWallet } from '../../wallets/open-custodial-wallet.ts';
import { type ChainContext, organizerKey } from './chain-context.ts';
import { type EventOnChain, ensureEvent, growEvent } from './ensure-event.ts';
import { ProgramRefusal, type Submission, submitTransaction } from './submit-transaction.ts';

type Place = {
  ticket: TicketRow;
  index: number;
  maxSupply: number;
  holder: string;
  eventTitle: string;
  typeName: string;
};

/** States in which a ticket belongs on the chain and may not be there; checked in only after a chain was lost. */
const MINTABLE = ['sold', 'minting', 'checked_in'];

/**
 * Puts a sold ticket on the chain. May be called any number of times: its place in the event, and so the address of
 * its mint, is given once; one transaction is alive at a time; and the chain takes a place only once.
 */
export async function mintTicket(
  ctx: ChainContext,
  input: { tenantId: TenantId; ticketId: string },
): Promise<void> {
  const { tenantId, ticketId } = input;
  const eventId = await eventOfUnminted(ctx, tenantId, ticketId);
  if (eventId === undefined) return;
  const accounts = await ensureEvent(ctx, tenantId, eventId);
  const place = await givePlace(ctx, tenantId, ticketId, accounts);
  if (!place) return;
  if (place.index >= place.maxSupply) await growEvent(ctx, tenantId, eventId, accounts, place.index);
  const authority = toAddress(await ctx.signer.address(organizerKey(tenantId)));
  const { ticket } = place;
  const submission: Submission = {
    tenantId,
    purpose: 'mint',
    subjectId: ticketId,
    ticketId,
    signers: [organizerKey(tenantId)],
    build: (payer) => {
      const { mint } = ticketAddresses(toAddress(ctx.programId), accounts.event, place.index);
      return buildMint(toAddress(ctx.programId), {
        payer: toAddress(payer),
        authority,
        organizer: accounts.organizer,
        event: accounts.event,
        index: place.index,
        ticketId: uuidBytes(ticketId),
        holder: toAddress(place.holder),
        faceValue: ticket.price_minor * ctx.config.CHAIN_UNITS_PER_MINOR,
        name: clip(`${place.eventTitle} ${ticket.ticket_number}`, 32),
        symbol: NFT_SYMBOL,
        uri: `${ctx.config.PUBLIC_URL}/api/nft/${mint}/metadata.json`,
        attributes: {
          event: clip(place.eventTitle, 64),
          type: clip(place.typeName, 64),
          seat: clip(ticket.seat ?? '', 64),
          number: ticket.ticket_number,
        },
      });
    },
    claim: async (tx, now) => {
      const current = await lockTicket(tx, tenantId, ticketId);
      if (current?.status !== 'sold') return;
      const step = { to: 'minting' as const, actor: 'worker:mint' };
      await stepTicket(tx, tenantId, now, current, step, { blockchain_sync_status: 'pending' });
    },
  };
  try {
    await submitTransaction(ctx, submission);
  } catch (error) {
    if (!(error instanceof ProgramRefusal && error.reason === 'AlreadyExists')) throw error;
    await resolveTakenPlace(ctx, tenantId, ticketId, accounts, place.index);
  }
}

/** Our own ticket is there already: the listener links it. Another's is: this one gets the next place. */
async function resolveTakenPlace(
  ctx: ChainContext,
  tenantId: TenantId,
  ticketId: string,
  accounts: EventOnChain,
  index: number,
): Promise<void> {
  const { ticket: address } = ticketAddresses(toAddress(ctx.programId), accounts.event, index);
  const { value } = await ctx.rpc.ask((node) => node.getAccounts([address], { commitment: 'confirmed' }));
  if (value[0] && uuidOf(decodeTicket(value[0].data).ticketId) === ticketId) return;
  ctx.log.error(
    { tenantId, ticketId, index },
    'the place of a ticket is taken on the chain; it gets another',
  );
  await withTenant(ctx.db, tenantId, (tx) =>
    tx
      .updateTable('tickets')
      .set({ chain_index: null, chain_account: null, updated_at: ctx.clock.now() })
      .where('tenant_id', '=', tenantId)
      .where('id', '=', ticketId)
      .where('chain_index', '=', index)
      .where('chain_version', 'is', null)
      .execute(),
  );
  throw new RetryableError('the place was taken');
}

async function eventOfUnminted(
  ctx: ChainContext,
  tenantId: TenantId,
  ticketId: string,
): Promise<string | undefined> {
  const row = await withTenant(ctx.db, tenantId, (tx) =>
    tx
      .selectFrom('tickets')
      .select('event_id')
      .where('tenant_id', '=', tenantId)
      .where('id', '=', ticketId)
      .where('chain_version', 'is', null)
      .where('status', 'in', MINTABLE)
      .executeTakeFirst(),
  );
  return row?.event_id;
}

/** The ticket's place in the event and the wallet it goes to, both given once. Undefined when nothing is to mint. */
async function givePlace(
  ctx: ChainContext,
  tenantId: TenantId,
  ticketId: string,
  accounts: EventOnChain,
): Promise<Place | undefined> {
  return withTenant(ctx.db, tenantId, async (tx) => {
    const ticket = await lockTicket(tx, tenantId, ticketId);
    if (!ticket || ticket.chain_version !== null || !MINTABLE.includes(ticket.status)) return undefined;
    const now = ctx.clock.now();
    const names = await tx
      .selectFrom('events as e')
      .innerJoin('chain_events as c', (join) =>
        join.onRef('c.tenant_id', '=', 'e.tenant_id').onRef('c.event_id', '=', 'e.id'),
      )
      .innerJoin('ticket_types as y', (join) =>
        join.onRef('y.tenant_id', '=', 'e.tenant_id').onRef('y.event_id', '=', 'e.id'),
      )
      .select(['e.title', 'y.name', 'c.max_supply'])
      .where('e.tenant_id', '=', tenantId)
      .where('e.id', '=', ticket.event_id)
      .where('y.id', '=', ticket.ticket_type_id)
      .executeTakeFirstOrThrow();
    const holder = await walletOf(ctx, tx, tenantId, ticket.user_id);
    const index = ticket.chain_index ?? (await takeNextIndex(tx, tenantId, ticket.event_id));
    if (ticket.chain_index === null) {
      const { ticket: account } = ticketAddresses(toAddress(ctx.programId), accounts.event, index);
      await tx
        .updateTable('tickets')
        .set({ chain_index: index, chain_account: account, updated_at: now })
        .where('tenant_id', '=', tenantId)
        .where('id', '=', ticketId)
        .execute();
    }
    return {
      ticket,
      index,
      maxSupply: names.max_supply,
      holder,
      eventTitle: names.title,
      typeName: names.name,
    };
  });
}

/** The wallet of a ticket's user: linked, custodial, or one that nobody here has linked. */
async function walletOf(
  ctx: ChainContext,
  tx: TenantTx,
  tenantId: TenantId,
  userId: string,
): Promise<string> {
  if (userId.startsWith('wallet:')) return userId.slice('wallet:'.length);
  const address = await ctx.signer.address({ use: 'custodial', tenantId, userId });
  return (await openCustodialWallet(tx, tenantId, ctx.clock.now(), { userId, address })).address;
}

async function takeNextIndex(tx: TenantTx, tenantId: TenantId, eventId: string): Promise<number> {
  const { next_index } = await tx
    .updateTable('chain_events')
    .set((eb) => ({ next_index: eb('next_index', '+', 1) }))
    .where('tenant_id', '=', tenantId)
    .where('event_id', '=', eventId)
    .returning('next_index')
    .executeTakeFirstOrThrow();
  return next_index - 1;
}

/** At most `bytes` of UTF-8, cut between characters. */
function clip(text: string, bytes: number): string {
  let end = 0;
  let size = 0;
  for (const character of text) {
    size += Buffer.byteLength(character);
    if (size > bytes) return text.slice(0, end);
    end += character.length;
  }
  return text;
}
