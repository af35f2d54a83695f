import { createRpc } from '../src/domain/chain/rpc/rpc.ts';
import { runProcess } from '../src/process/run-process.ts';
import { runListener } from './run-listener.ts';

await runProcess('listener', async (services, signal) => {
  const { config } = services;
  const db = await services.openDb('DATABASE_LISTENER_URL');
  await services.keepTime(db);
  const rpc = createRpc({ ...services, urls: config.CHAIN_RPC_URL, genesisHash: config.CHAIN_GENESIS_HASH });
  const programId = config.CHAIN_PROGRAM_ID as string;
  const newChain = process.argv.includes('--new-chain');
  await runListener(
    { ...services, db, rpc, programId },
    { wsUrl: config.CHAIN_WS_URL as string, signal, newChain },
  );
});
