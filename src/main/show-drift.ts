import { loadConfig } from '../config.ts';
import { listDrift } from '../domain/inventory/list-drift.ts';
import { createDb } from '../platform/db.ts';
import { createLogger } from '../platform/logger.ts';
import { exitOnProblem } from './exit.ts';

/** `npm run drift`: shows where a counter did not equal the rows it counts; exit code 1 when there is such a place. */
await exitOnProblem(async () => {
  const config = loadConfig(process.env, 'drift');
  const log = createLogger({ level: 'error', process: 'drift' });
  const open = (url: string | undefined) =>
    createDb({ url: url as string, poolSize: 1, log, applicationName: 'drift' });
  const [db, relay] = [open(config.DATABASE_URL), open(config.DATABASE_RELAY_URL)];
  const drift = await listDrift({ db }, relay);
  await Promise.all([db.close(), relay.close()]);
  if (drift.length === 0) {
    console.log('Every counter equals its rows.');
    return;
  }
  console.table(drift);
  process.exitCode = 1;
});
