import { createApp } from '../api/app.ts';
import { createChainReader } from '../domain/chain/read/chain-reader.ts';
import { createRpc } from '../domain/chain/rpc/rpc.ts';
import { createProvider } from '../domain/payments/create-provider.ts';
import { runProcess } from '../process/run-process.ts';
import { serveHttp } from './serve-http.ts';

await runProcess('api', async (services, signal) => {
  const { config, log } = services;
  const db = await services.openDb('DATABASE_URL');
  await services.keepTime(db);
  const bus = await services.openBus();
  const rpc = createRpc({ ...services, urls: config.CHAIN_RPC_URL, genesisHash: config.CHAIN_GENESIS_HASH });
  const chain = createChainReader(rpc, config.CHAIN_PROGRAM_ID as string);
  const payments = createProvider({ ...services, db });
  const app = createApp({ ...services, db, bus, chain, payments });
  const { url, closed } = await serveHttp(app, {
    host: config.HTTP_HOST,
    port: config.HTTP_PORT,
    maxConnections: config.HTTP_MAX_CONNECTIONS,
    signal,
  });
  log.info({ url }, 'listening');
  await closed;
});
