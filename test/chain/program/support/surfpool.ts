import { createRequire } from 'node:module';
import { Connection } from '@solana/web3.js';

/** The parts of the native module that tests use. */
type Surfnet = {
  rpcUrl: string;
  wsUrl: string;
  deploy(program: { programId: string; soPath: string }): void;
  stop(): void;
};

const require = createRequire(import.meta.url);

export type Cluster = { connection: Connection; stop(): void };

/** The embedded runtime with the given programs, by address, at 50 ms a slot. */
export function startSurfpool(programs: { [address: string]: string }): Cluster {
  const { Surfnet } = require('@solana/surfpool-linux-x64-gnu') as {
    Surfnet: { startWithConfig(config: object): Surfnet };
  };
  const net = Surfnet.startWithConfig({ offline: true, blockProductionMode: 'clock', slotTimeMs: 50 });
  for (const [programId, soPath] of Object.entries(programs)) net.deploy({ programId, soPath });
  const connection = new Connection(net.rpcUrl, { wsEndpoint: net.wsUrl, commitment: 'confirmed' });
  return { connection, stop: () => net.stop() };
}
