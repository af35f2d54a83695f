import { loadConfig } from '../config.ts';
import { checkCounters } from '../domain/inventory/check-counters.ts';
import { systemClock } from '../platform/clock.ts';
import { createLogger } from '../platform/logger.ts';
import { exitOnProblem } from '../process/exit.ts';
import { openDatabase } from '../process/open-database.ts';
import { findDatabase } from './find-database.ts';

/** `npm run drift`: compares every counter with the rows it counts and shows where they differ; exit code 1 when they do. */
await exitOnProblem(async () => {
  const config = loadConfig(await findDatabase(), 'drift');
  const log = createLogger({ level: 'error', process: 'drift' });
  const options = { poolSize: 1, log, applicationName: 'drift' };
  const db = await openDatabase(config, 'DATABASE_URL', options);
  const relay = await openDatabase(config, 'DATABASE_RELAY_URL', options);
  const { checked, drift } = await checkCounters({ db, clock: systemClock }, relay);
  await Promise.all([db.close(), relay.close()]);
  if (drift.length === 0) {
    console.log(`Each of ${checked} counters equals its rows.`);
    return;
  }
  console.table(drift);
  process.exitCode = 1;
});
