import { readdir } from 'node:fs/promises';
import pg from 'pg';
import type { Db } from './db.ts';
import { waitFor } from './retry.ts';

/** A server that is starting answers within this time; nobody waits longer for one that is not there. */
const PATIENCE_MS = 10_000;

/** Wrong password, no such database, no right to connect: waiting does not help. */
const LASTING = /^(28|3D|42)/;
const INVALID_CATALOG = '3D000';
const INSUFFICIENT_PRIVILEGE = '42501';
const UNDEFINED_TABLE = '42P01';

/**
 * Refuses a database that nobody may serve from: one that this process could read past row-level security, and one
 * without a migration of `folder` (newer ones do no harm). `variable` is what names it in the environment.
 * @throws Error in a sentence that says what to do
 */
export async function checkDatabase(db: Db, options: { variable: string; folder: string }): Promise<void> {
  const { variable, folder } = options;
  await untilAnswers(db, variable);
  await refuseMightyRole(db, variable);
  await refuseUnmigrated(db, variable, folder);
}

async function untilAnswers(db: Db, variable: string): Promise<void> {
  let last: Error | undefined;
  const answered = await waitFor(
    async () => {
      try {
        await db.pool.query('select 1');
        return true;
      } catch (error) {
        last = error as Error;
        if (error instanceof pg.DatabaseError && LASTING.test(error.code ?? ''))
          throw refusalOf(error, variable);
        return false;
      }
    },
    { timeoutMs: PATIENCE_MS, everyMs: 250 },
  );
  if (!answered) throw new Error(`The database of ${variable} does not answer (${last?.message}).`);
}

function refusalOf(error: pg.DatabaseError, variable: string): Error {
  const hint = error.code === INVALID_CATALOG ? '; create it, then run: npm run migrate' : '';
  return new Error(`The database of ${variable} does not let us in: ${error.message}${hint}.`);
}

/** Also who may become such a role is one: `set role` is a statement like any other. */
async function refuseMightyRole(db: Db, variable: string): Promise<void> {
  const { rows } = await db.pool.query<{ login: string; role: string; rolsuper: boolean }>(
    `select session_user as login, rolname as role, rolsuper from pg_roles
     where (rolsuper or rolbypassrls)
       and (pg_has_role(session_user, oid, 'member') or pg_has_role(current_user, oid, 'member'))
     order by rolname = session_user desc limit 1`,
  );
  const [found] = rows;
  if (!found) return;
  const { login, role, rolsuper } = found;
  const might = rolsuper ? 'a superuser' : 'a role with BYPASSRLS';
  const who = login === role ? might : `a member of ${role}, ${might}`;
  throw new Error(
    `${variable} logs in as ${login}, ${who}, and row-level security does not hold for it; use the roles that npm run migrate makes.`,
  );
}

async function refuseUnmigrated(db: Db, variable: string, folder: string): Promise<void> {
  const wanted = (await readdir(folder)).filter((name) => name.endsWith('.sql')).sort();
  const applied = await db.pool
    .query<{ name: string }>('select name from schema_migrations')
    .then(({ rows }) => new Set(rows.map(({ name }) => name)))
    .catch((error: pg.DatabaseError) => {
      // Older migrations let nobody but the owner read what was applied.
      if (error.code === UNDEFINED_TABLE || error.code === INSUFFICIENT_PRIVILEGE) return undefined;
      throw error;
    });
  const missing = applied ? wanted.find((name) => !applied.has(name)) : wanted.at(-1);
  if (missing === undefined) return;
  throw new Error(`The database of ${variable} lacks the migration ${missing}; run: npm run migrate`);
}
