import { loadConfig } from '../config.ts';
import { retryQuarantined } from '../domain/chain/sync/quarantine.ts';
import { exitOnProblem } from '../process/exit.ts';
import { findDatabase } from './find-database.ts';
import { openListenerTools } from './open-listener-tools.ts';

/** `npm run chain:retry`: lets the listener try again what it had given up. */
await exitOnProblem(async () => {
  const tools = await openListenerTools(loadConfig(await findDatabase(), 'chain-retry'));
  try {
    const count = await retryQuarantined(tools.ctx);
    console.log(count === 0 ? 'Nothing was given up.' : `The listener tries ${count} transactions again.`);
  } finally {
    await tools.close();
  }
});
