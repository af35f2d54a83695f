import { sql } from 'kysely';
import pg from 'pg';
import type { TenantId } from './ids.ts';
import type { TenantTx } from './tenant-tx.ts';

const FOREIGN_KEY_VIOLATION = '23503';

/** Deletes a row unless others refer to it, which the database knows without a race. Returns whether it is gone. */
export async function deleteUnlessReferenced(
  tx: TenantTx,
  table: 'events' | 'ticket_types',
  tenantId: TenantId,
  id: string,
): Promise<boolean> {
  await sql`savepoint before_delete`.execute(tx);
  try {
    await sql`delete from ${sql.table(table)} where tenant_id = ${tenantId} and id = ${id}`.execute(tx);
    return true;
  } catch (error) {
    if (!(error instanceof pg.DatabaseError && error.code === FOREIGN_KEY_VIOLATION)) throw error;
    await sql`rollback to savepoint before_delete`.execute(tx);
    return false;
  }
}
