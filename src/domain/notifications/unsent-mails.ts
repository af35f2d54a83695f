import type { Db } from '../../platform/db.ts';
import type { TenantId } from '../../platform/ids.ts';
import { withTenant } from '../../platform/tenant-tx.ts';

export type UnsentMail = {
  tenantId: TenantId;
  mailId: string;
  fact: string;
  status: string;
  error: string;
  settledAt: Date;
};

/** Mails that nobody sends by themselves: the server refused them, or they may have gone out. Without what is in them. */
export function listUnsentMails(db: Db, tenantId: TenantId, limit = 1_000): Promise<UnsentMail[]> {
  return withTenant(db, tenantId, async (tx) => {
    const rows = await tx
      .selectFrom('mails')
      .select(['id', 'fact', 'status', 'error', 'settled_at'])
      .where('tenant_id', '=', tenantId)
      .where('status', 'in', ['refused', 'uncertain'])
      .orderBy('settled_at', 'desc')
      .limit(limit)
      .execute();
    return rows.map((row) => ({
      tenantId,
      mailId: row.id,
      fact: row.fact,
      status: row.status,
      error: row.error ?? '',
      settledAt: row.settled_at as Date,
    }));
  });
}

/** Sends them again after all; one that was uncertain may then come twice. Returns how many. */
export function resendMails(db: Db, tenantId: TenantId, now: Date, mailId?: string): Promise<number> {
  return withTenant(db, tenantId, async (tx) => {
    const moved = await tx
      .updateTable('mails')
      .set({ status: 'waiting', next_attempt_at: now, settled_at: null })
      .where('tenant_id', '=', tenantId)
      .where('status', 'in', ['refused', 'uncertain'])
      .$if(mailId !== undefined, (query) => query.where('id', '=', mailId as string))
      .executeTakeFirst();
    return Number(moved.numUpdatedRows);
  });
}
