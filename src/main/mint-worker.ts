import { createRpc } from '../domain/chain/rpc/rpc.ts';
import { openFileSigner } from '../domain/chain/send/file-signer.ts';
import { createPayers } from '../domain/chain/send/payers.ts';
import { runProcess } from '../process/run-process.ts';
import { runMintWorker } from '../workers/run-mint-worker.ts';

await runProcess('mint-worker', async (services, signal) => {
  const { config } = services;
  const db = await services.openDb('DATABASE_URL');
  await services.keepTime(db);
  const relay = await services.openDb('DATABASE_RELAY_URL');
  const bus = await services.openBus();
  const rpc = createRpc({ ...services, urls: config.CHAIN_RPC_URL, genesisHash: config.CHAIN_GENESIS_HASH });
  const signer = await openFileSigner(config.SIGNER_KEY_FILE as string);
  const programId = config.CHAIN_PROGRAM_ID as string;
  const ctx = { ...services, db, relay, rpc, signer, programId };
  await runMintWorker({ ...ctx, bus, payers: await createPayers(ctx) }, signal);
});
