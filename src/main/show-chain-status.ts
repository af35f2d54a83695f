import { parseArgs } from 'node:util';
import { loadConfig } from '../config.ts';
import { describeChainStatus } from '../domain/chain/sync/describe-chain-status.ts';
import { readChainStatus } from '../domain/chain/sync/read-chain-status.ts';
import { readNodes } from '../domain/chain/sync/read-nodes.ts';
import { exitOnProblem } from '../process/exit.ts';
import { findDatabase } from './find-database.ts';
import { openListenerTools } from './open-listener-tools.ts';

/** `npm run chain:status [-- --json]`: how it stands with the chain; exit code 1 when somebody has to look. */
await exitOnProblem(async () => {
  const { values } = parseArgs({ options: { json: { type: 'boolean', default: false } } });
  const tools = await openListenerTools(loadConfig(await findDatabase(), 'chain-status'));
  const { ctx } = tools;
  try {
    const status = { ...(await readChainStatus(ctx.db, ctx.programId)), ...(await readNodes(ctx.rpc)) };
    const { lines, troubles } = describeChainStatus(status);
    console.log(values.json ? JSON.stringify({ ...status, troubles }, null, 2) : lines.join('\n'));
    if (troubles.length > 0) process.exitCode = 1;
  } finally {
    await tools.close();
  }
});
