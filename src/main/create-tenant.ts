import { loadConfig } from '../config.ts';
import { createTenant } from '../domain/tenants/create-tenant.ts';
import { systemClock } from '../platform/clock.ts';
import { createDb } from '../platform/db.ts';
import { createLogger } from '../platform/logger.ts';
import { exitOnProblem } from '../process/exit.ts';

/** `npm run tenant -- "Name"`: opens a tenant and prints its first admin key, which is shown this once. */
await exitOnProblem(async () => {
  const config = loadConfig(process.env, 'create-tenant');
  const name = process.argv[2]?.trim();
  if (!name) throw new Error('Give the name of the tenant: npm run tenant -- "Name"');
  const log = createLogger({ level: 'error', process: 'create-tenant' });
  const db = createDb({
    url: config.DATABASE_URL as string,
    poolSize: 1,
    log,
    applicationName: 'create-tenant',
  });
  const tenant = await createTenant({ db, clock: systemClock }, { name });
  await db.close();
  console.log(`tenant ${tenant.tenantId}\nkey    ${tenant.apiKey.key}`);
});
