import { loadConfig } from '../config.ts';
import { auditChain } from '../domain/chain/sync/audit-chain.ts';
import { readChainStatus } from '../domain/chain/sync/read-chain-status.ts';
import { exitOnProblem } from '../process/exit.ts';
import { findDatabase } from './find-database.ts';
import { openListenerTools } from './open-listener-tools.ts';

/** `npm run chain:audit`: compares every ticket with its account on the chain, and corrects the copies; exit code 1 when some differed. */
await exitOnProblem(async () => {
  const tools = await openListenerTools(loadConfig(await findDatabase(), 'chain-audit'));
  const { ctx } = tools;
  try {
    const { cluster } = await readChainStatus(ctx.db, ctx.programId);
    if (!cluster) throw new Error('No listener has followed this program yet; start one first.');
    const genesis = await ctx.rpc.genesis();
    if (genesis !== cluster.genesisHash)
      throw new Error(
        `The chain at CHAIN_RPC_URL has the genesis hash ${genesis}, and the database follows ${cluster.genesisHash}.`,
      );
    const audit = await auditChain(ctx, cluster.id);
    console.table(audit);
    if (audit.corrected + audit.missing + audit.unknown > 0) process.exitCode = 1;
  } finally {
    await tools.close();
  }
});
