import type { Config } from '../config.ts';
import { createRpc } from '../domain/chain/rpc/rpc.ts';
import type { ListenerContext } from '../domain/chain/sync/listener-context.ts';
import { openServices } from '../process/open-services.ts';

const POOL = 3;

/** What a command needs to look at the chain with the listener's role. */
export async function openListenerTools(
  config: Config,
): Promise<{ ctx: ListenerContext; close(): Promise<void> }> {
  const services = openServices({ ...config, LOG_LEVEL: 'error' }, 'listener-tools');
  const db = await services.openDb('DATABASE_LISTENER_URL', POOL);
  const rpc = createRpc({ ...services, urls: config.CHAIN_RPC_URL, genesisHash: config.CHAIN_GENESIS_HASH });
  return {
    ctx: { ...services, db, rpc, programId: config.CHAIN_PROGRAM_ID ?? '' },
    async close() {
      await rpc.close();
      await services.close();
    },
  };
}
