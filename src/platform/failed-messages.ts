import { sql } from 'kysely';
import type { BusMessage } from './bus.ts';
import type { Clock } from './clock.ts';
import type { Db } from './db.ts';
import { type TenantId, toTenantId } from './ids.ts';
import { createLanes } from './lane.ts';
import { type TenantTx, withTenant } from './tenant-tx.ts';

/** Why a message was not handled: its handler failed, what the handler needs was away, or the process died of it. */
export type Cause = 'failure' | 'outage' | 'crash';

export type Failure = {
  consumer: string;
  message: BusMessage;
  cause: Cause;
  error: string;
  /** Milliseconds until the next try; undefined parks the message. */
  pause: number | undefined;
};

type Counts = { attempts: number; crashes: number };
export type FailureBook = {
  /** Keeps a failure. Undefined for a message of no tenant of ours, which nobody can be shown. */
  record(failure: Failure): Promise<Counts | undefined>;
};

const BATCH = 256;
/** Who is accused of a crash comes again after this, if the process that has it is not heard of. */
export const ACCUSED_MS = 10 * 60_000;
/** The pause of an outage doubles so often. */
const LONGEST = 5;

/**
 * Writes down what failed, many in one statement and at most `atOnce` statements at a time. `db` should be a pool of its
 * own: where connections are scarce, failures are many.
 */
export function createFailureBook({ db, clock }: { db: Db; clock: Clock }, atOnce = 1): FailureBook {
  const lanes = createLanes<Failure, Counts | undefined>({
    maxBatch: BATCH,
    atOnce,
    flush: (key, failures) => withTenant(db, key as TenantId, (tx) => write(tx, clock.now(), failures)),
  });
  return {
    async record(failure) {
      const tenantId = tenantOf(failure.message);
      return tenantId && lanes.submit(tenantId, failure);
    },
  };
}

/** One that failed in two copies counts once: the attempt that it made is the number of its copies' attempts and one. */
async function write(tx: TenantTx, now: Date, failures: Failure[]): Promise<(Counts | undefined)[]> {
  const rows = failures.map(({ consumer, message, cause, error, pause }) => ({
    consumer,
    message_id: message.id,
    kind: message.kind,
    body: message.body ?? null,
    occurred_at: Number.isNaN(Date.parse(message.occurredAt)) ? now : message.occurredAt,
    request_id: message.requestId ?? null,
    attempts: message.attempt + (cause === 'failure' ? 1 : 0),
    outages: cause === 'outage' ? 1 : 0,
    crashes: cause === 'crash' && pause !== undefined ? 1 : 0,
    cause,
    error: error.replaceAll('\0', '').slice(0, 1_000),
    next_attempt_at: pause === undefined ? null : new Date(now.getTime() + pause),
    parked_at: pause === undefined ? now : null,
  }));
  const { rows: written } = await sql<{ consumer: string; message_id: string } & Counts>`
    insert into failed_messages as f (tenant_id, consumer, message_id, kind, body, occurred_at, request_id, attempts,
      outages, crashes, cause, error, next_attempt_at, parked_at)
    select t.tenant_id, r.consumer, r.message_id, r.kind, coalesce(r.body, 'null'), r.occurred_at, r.request_id, r.attempts, r.outages,
      r.crashes, r.cause, r.error, r.next_attempt_at, r.parked_at
    from tenants t, json_to_recordset(${JSON.stringify(rows)}) as r (consumer text, message_id text, kind text, body json,
      occurred_at timestamptz, request_id text, attempts integer, outages integer, crashes integer, cause text, error text,
      next_attempt_at timestamptz, parked_at timestamptz)
    where t.tenant_id = current_tenant()
    on conflict (tenant_id, consumer, message_id) do update set
      attempts = greatest(f.attempts, excluded.attempts), outages = f.outages + excluded.outages,
      crashes = f.crashes + excluded.crashes, cause = excluded.cause, error = excluded.error,
      parked_at = excluded.parked_at, next_attempt_at = case excluded.cause
        when 'outage' then ${now}::timestamptz
          + (excluded.next_attempt_at - ${now}::timestamptz) * power(2, least(f.outages, ${LONGEST}::integer))
        else excluded.next_attempt_at end
    returning f.consumer, f.message_id, f.attempts, f.crashes`.execute(tx);
  const counts = new Map(written.map((row) => [`${row.consumer} ${row.message_id}`, row]));
  return failures.map(({ consumer, message }) => counts.get(`${consumer} ${message.id}`));
}

/** Messages that were handled have failed no longer. */
export async function forgetFailures(
  tx: TenantTx,
  consumer: string,
  tenantId: TenantId,
  messages: readonly { id: string; retried: boolean }[],
): Promise<void> {
  const ids = messages.filter(({ retried }) => retried).map(({ id }) => id);
  if (ids.length === 0) return;
  await tx
    .deleteFrom('failed_messages')
    .where('tenant_id', '=', tenantId)
    .where('consumer', '=', consumer)
    .where('message_id', 'in', ids)
    .execute();
}

function tenantOf(message: BusMessage): TenantId | undefined {
  try {
    return toTenantId(message.tenantId);
  } catch {
    return undefined;
  }
}
