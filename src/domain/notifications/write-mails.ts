import { sql } from 'kysely';
import { newId, type TenantId } from '../../platform/ids.ts';
import type { TenantTx } from '../../platform/tenant-tx.ts';
import { readFacts } from './facts.ts';
import { writeLetters } from './letters.ts';
import type { Notified } from './notified.ts';

/**
 * Writes what the people concerned are told, to be sent after the commit. A fact is told once to each person, however
 * many messages tell of it. Whoever left no address is not written to.
 */
export async function writeMails(
  tx: TenantTx,
  tenantId: TenantId,
  now: Date,
  messages: readonly Notified[],
): Promise<void> {
  const letters = writeLetters(messages, await readFacts(tx, tenantId, messages));
  if (letters.length === 0) return;
  const rows = JSON.stringify(letters.map((letter) => ({ id: newId(), ...letter })));
  // In one order: two that tell of the same facts wait for each other, and do not deadlock.
  await sql`
    insert into mails (tenant_id, id, fact, recipient, subject, content, next_attempt_at, created_at)
    select ${tenantId}, r.id, r.fact, r.recipient, r.subject, r.content, ${now}, ${now}
    from json_to_recordset(${rows}) as r (id uuid, fact text, recipient text, subject text, content text)
    order by r.fact, r.recipient
    on conflict (tenant_id, fact, recipient) do nothing`.execute(tx);
}
