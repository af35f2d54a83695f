import { loadConfig } from '../config.ts';
import { checkCounters } from '../domain/inventory/check-counters.ts';
import { systemClock } from '../platform/clock.ts';
import { createDb } from '../platform/db.ts';
import { createLogger } from '../platform/logger.ts';
import { exitOnProblem } from '../process/exit.ts';

/** `npm run drift`: compares every counter with the rows it counts and shows where they differ; exit code 1 when they do. */
await exitOnProblem(async () => {
  const config = loadConfig(process.env, 'drift');
  const log = createLogger({ level: 'error', process: 'drift' });
  const open = (url: string | undefined) =>
    createDb({ url: url as string, poolSize: 1, log, applicationName: 'drift' });
  const [db, relay] = [open(config.DATABASE_URL), open(config.DATABASE_RELAY_URL)];
  const { checked, drift } = await checkCounters({ db, clock: systemClock }, relay);
  await Promise.all([db.close(), relay.close()]);
  if (drift.length === 0) {
    console.log(`Each of ${checked} counters equals its rows.`);
    return;
  }
  console.table(drift);
  process.exitCode = 1;
});
