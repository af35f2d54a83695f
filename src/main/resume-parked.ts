import { loadConfig } from '../config.ts';
import { resumeParked } from '../domain/chain/send/resume-parked.ts';
import { systemClock } from '../platform/clock.ts';
import { createLogger } from '../platform/logger.ts';
import { exitOnProblem } from '../process/exit.ts';
import { openDatabase } from '../process/open-database.ts';
import { findDatabase } from './find-database.ts';

/** `npm run chain:resume`: asks again for all work on the chain that the program had refused for good. */
await exitOnProblem(async () => {
  const config = loadConfig(await findDatabase(), 'chain-resume');
  const log = createLogger({ level: 'error', process: 'chain-resume' });
  const options = { poolSize: 1, log, applicationName: 'chain-resume' };
  const db = await openDatabase(config, 'DATABASE_URL', options);
  const relay = await openDatabase(config, 'DATABASE_RELAY_URL', options);
  let asked = 0;
  for (let some = -1; some !== 0; asked += some)
    some = await resumeParked({ db, relay, log, clock: systemClock }, { olderThanMs: 0 });
  await Promise.all([db.close(), relay.close()]);
  console.log(asked === 0 ? 'Nothing is parked.' : `The mint worker is asked again for ${asked} jobs.`);
});
