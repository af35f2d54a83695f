import type { AppContext } from '../../context.ts';
import { type Actor, actorName, requireRole } from '../../platform/actor.ts';
import { notFound } from '../../platform/errors.ts';
import { newId, type TenantId } from '../../platform/ids.ts';
import { createLanes } from '../../platform/lane.ts';
import { callFunction, withTenant } from '../../platform/tenant-tx.ts';
import type { CodeKeyRing } from '../tickets/code-keys.ts';
import { publishTicket } from '../tickets/publish-ticket.ts';
import { openCode } from '../tickets/ticket-code.ts';
import { checkOwner, type OwnerCheck } from './check-owner.ts';
import { findScannedTicket, type ScannedTicket } from './queries.ts';
import type { ScanReason, ValidateInput, Verdict } from './schema.ts';

type Scan = {
  actor: Actor;
  input: ValidateInput;
  ticketId: string | undefined;
  ownerEpoch: number | undefined;
  check: OwnerCheck | undefined;
};
type Row = {
  n: number;
  result: 'ok' | 'error';
  reason: ScanReason | null;
  scan_id: string;
  entry_number: number | null;
  first_at: Date | null;
  first_gate: string | null;
  first_by: string | null;
  replayed: boolean;
  chain_mode: OwnerCheck['mode'] | null;
  chain_owner: string | null;
  chain_slot: bigint | null;
  chain_checked_at: Date | null;
};

export type ValidateTicket = (actor: Actor, input: ValidateInput) => Promise<Verdict>;

const MAX_BATCH = 64;

/**
 * Check-in: decrypt the code, get the ticket, verify the owner on chain, then look for earlier scans, record this one
 * and admit in one atomic statement. Scans of one event that arrive together share that statement.
 */
export function createValidateTicket(ctx: AppContext, keys: CodeKeyRing): ValidateTicket {
  const lanes = createLanes<Scan, Row>({
    maxBatch: MAX_BATCH,
    flush: (_key, scans) => admit(ctx, (scans[0] as Scan).actor.tenantId, scans),
  });
  return async (actor, input) => {
    requireRole(actor, 'scanner', 'organiser', 'support');
    const { tenantId } = actor;
    const content = openCode(keys, tenantId, input.eventId, input.qr);
    const ticket = await findTicketOfEvent(ctx, tenantId, input.eventId, content?.ticketId);
    // A device may ask for more than the installation demands, not for less.
    const policy = input.policy === 'strict' ? 'strict' : ctx.config.CHAIN_CHECK_MODE;
    const check = ticket && (await checkOwner(ctx, ticket, policy));
    const scan: Scan = { actor, input, ticketId: ticket?.id, ownerEpoch: content?.ownerEpoch, check };
    const row = await lanes.submit(`${tenantId}:${input.eventId}`, scan);
    ctx.metrics.scans.inc({ verdict: row.reason ?? 'ok' });
    if (row.result === 'ok' && ticket && !row.replayed) await publishTicket(ctx, tenantId, ticket.id);
    return toVerdict(row, ticket, input.direction);
  };
}

/** @throws DomainError not_found when the event is not the tenant's, whatever the code is */
async function findTicketOfEvent(
  ctx: AppContext,
  tenantId: TenantId,
  eventId: string,
  ticketId: string | undefined,
): Promise<ScannedTicket | undefined> {
  return withTenant(ctx.db, tenantId, async (tx) => {
    const ticket = ticketId && (await findScannedTicket(tx, tenantId, eventId, ticketId));
    if (ticket) return ticket;
    const event = await tx
      .selectFrom('events')
      .select('id')
      .where('tenant_id', '=', tenantId)
      .where('id', '=', eventId)
      .executeTakeFirst();
    if (!event) throw notFound('event');
    return undefined;
  });
}

async function admit(ctx: AppContext, tenantId: TenantId, scans: Scan[]): Promise<Row[]> {
  const requests = scans.map(({ actor, input, ticketId, ownerEpoch, check }, i) => ({
    n: i + 1,
    scan_id: newId(),
    ticket_id: ticketId,
    event_id: input.eventId,
    scanned_by: actorName(actor),
    gate: input.gate,
    direction: input.direction,
    nonce: input.nonce,
    device_time: input.scannedAt,
    reason: check?.reason,
    owner_epoch: ownerEpoch,
    chain_mode: check?.mode,
    chain_owner: check?.owner,
    chain_slot: check?.slot?.toString(),
    chain_checked_at: check?.checkedAt,
  }));
  return callFunction<Row>(ctx.db, {
    name: 'admit_scans',
    text: 'select * from admit_scans($1, $2, $3, make_interval(mins => $4))',
    values: [tenantId, ctx.clock.now(), JSON.stringify(requests), ctx.config.DOORS_OPEN_MINUTES_BEFORE],
  });
}

const explanations: Record<ScanReason, string> = {
  invalid: 'This is no valid code for this event.',
  stale_code: 'The code is old; ask for the current one.',
  wrong_event: 'The ticket is for another event.',
  wrong_gate: 'The ticket is for another gate.',
  not_yet_valid: 'The doors are not open yet.',
  expired: 'The event is over.',
  already_used: 'The ticket was used already.',
  revoked: 'The ticket was revoked.',
  refunded: 'The ticket was refunded.',
  cancelled: 'The ticket was cancelled.',
  transferred: 'The ticket changed hands after this code was made.',
  unpaid: 'The ticket is not paid.',
  not_minted: 'The ticket is not on the chain yet.',
  owner_mismatch: 'The chain knows another owner.',
  chain_unavailable: 'The owner cannot be verified now.',
  blocked: 'The ticket is blocked.',
  rules: 'The rules of entry do not allow it.',
  error: 'The ticket could not be checked; scan it again.',
};

const greetings = { entry: 'Welcome.', exit: 'Goodbye.' } as const;

function toVerdict(
  row: Row,
  ticket: ScannedTicket | undefined,
  direction: ValidateInput['direction'],
): Verdict {
  return {
    status: row.result,
    reason: row.reason,
    explanation: row.reason ? explanations[row.reason] : greetings[direction],
    scanId: row.scan_id,
    replayed: row.replayed,
    ticket: ticket
      ? {
          id: ticket.id,
          ticketNumber: ticket.ticketNumber,
          ticketType: ticket.ticketType,
          holderName: ticket.holderName,
          seat: ticket.seat,
          flags: row.entry_number !== null && row.entry_number > 1 ? ['re_entry'] : [],
        }
      : null,
    firstScan: row.first_at
      ? { at: row.first_at.toISOString(), gate: row.first_gate, device: row.first_by ?? '' }
      : null,
    chain:
      row.chain_mode && row.chain_checked_at
        ? {
            owner: row.chain_owner,
            slot: row.chain_slot === null ? null : Number(row.chain_slot),
            checkedAt: row.chain_checked_at.toISOString(),
            mode: row.chain_mode,
          }
        : null,
  };
}
