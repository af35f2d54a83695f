import { fileURLToPath } from 'node:url';
import type { Config } from '../config.ts';
import { checkDatabase } from '../platform/check-database.ts';
import { createDb, type Db } from '../platform/db.ts';
import type { Logger } from '../platform/logger.ts';

export type DatabaseVariable = 'DATABASE_URL' | 'DATABASE_RELAY_URL' | 'DATABASE_LISTENER_URL';

export const migrationsFolder = fileURLToPath(new URL('../../migrations', import.meta.url));

/**
 * A pool on the database that `variable` names, once it is certain that we may serve from it.
 * @throws Error in plain words when the role is too mighty or a migration is missing
 */
export async function openDatabase(
  config: Config,
  variable: DatabaseVariable,
  options: { log: Logger; applicationName: string; poolSize: number },
): Promise<Db> {
  const db = createDb({ url: config[variable] as string, ...options });
  try {
    await checkDatabase(db, { variable, folder: migrationsFolder });
    return db;
  } catch (error) {
    await db.close();
    throw error;
  }
}
