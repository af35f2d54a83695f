import { loadConfig } from '../config.ts';
import { createTenant } from '../domain/tenants/create-tenant.ts';
import { systemClock } from '../platform/clock.ts';
import { createLogger } from '../platform/logger.ts';
import { exitOnProblem } from '../process/exit.ts';
import { openDatabase } from '../process/open-database.ts';
import { findDatabase } from './find-database.ts';

/** `npm run tenant -- "Name"`: opens a tenant and prints its first admin key, which is shown this once. */
await exitOnProblem(async () => {
  const config = loadConfig(await findDatabase(), 'create-tenant');
  const name = process.argv[2]?.trim();
  if (!name) throw new Error('Give the name of the tenant: npm run tenant -- "Name"');
  const log = createLogger({ level: 'error', process: 'create-tenant' });
  const options = { poolSize: 1, log, applicationName: 'create-tenant' };
  const db = await openDatabase(config, 'DATABASE_URL', options);
  const tenant = await createTenant({ db, clock: systemClock }, { name });
  await db.close();
  console.log(`tenant ${tenant.tenantId}\nkey    ${tenant.apiKey.key}`);
});
