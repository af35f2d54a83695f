import { loadConfig } from '../config.ts';
import { migrate } from '../platform/migrate.ts';
import { exitOnProblem } from '../process/exit.ts';
import { migrationsFolder } from '../process/open-database.ts';
import { findDatabase } from './find-database.ts';

/** Brings the database of DATABASE_OWNER_URL up to date and sets the passwords of the roles' URLs. */
await exitOnProblem(async () => {
  const config = loadConfig(await findDatabase(), 'migrate');
  const logins = [config.DATABASE_URL, config.DATABASE_RELAY_URL, config.DATABASE_LISTENER_URL].filter(
    (url) => url !== undefined,
  );
  const applied = await migrate({
    ownerUrl: config.DATABASE_OWNER_URL as string,
    folder: migrationsFolder,
    logins,
  });
  console.log(applied.length > 0 ? `applied ${applied.join(', ')}` : 'the database is up to date');
});
