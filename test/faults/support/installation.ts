import { randomBytes, randomInt } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { connect } from 'amqplib';
import { fundedKeys } from '../../../src/domain/chain/send/chain-context.ts';
import { openFileSigner } from '../../../src/domain/chain/send/file-signer.ts';
import { findPort } from '../../../src/main/embedded/find-port.ts';
import { initChain } from '../../../src/main/init-chain.ts';
import { topology } from '../../../src/messages.ts';
import { deleteTopology } from '../../support/delete-topology.ts';
import type { NodeFaults } from '../../support/fake-chain/options.ts';
import { type FakeChain, startFakeChain } from '../../support/fake-chain/start-fake-chain.ts';
import { runChild } from '../../support/run-child.ts';
import { identity } from '../../support/test-context.ts';
import { openTestDatabase, type TestDatabase } from '../../support/test-database.ts';
import type { Tenant } from './customers.ts';

export type NodeName = 'honest' | 'liar' | 'behind';

/** Database, broker, chain and the environment of all processes; nothing of ours runs yet. */
export type Installation = {
  url: string;
  env: Record<string, string>;
  chain: FakeChain<NodeName>;
  database: TestDatabase;
  tenants: Tenant[];
  /** Messages that wait in the queues for dead letters. */
  countDead(): Promise<number>;
  close(): Promise<void>;
};

const SOL = 1_000_000_000;
const PAYERS = 4;
/** Of the chain; its blockhashes are good for 150 of them. */
const SLOT_MS = 60;

/** Which faults the nodes have is put in by the caller, once the installation stands. */
export async function openInstallation(options: {
  seed: number;
  amqp: string;
  redis: string;
}): Promise<Installation> {
  const { seed, amqp, redis } = options;
  const nodes: Record<NodeName, NodeFaults> = { honest: {}, liar: {}, behind: {} };
  const [database, chain, folder] = await Promise.all([
    openTestDatabase(),
    startFakeChain({ seed, slotMs: SLOT_MS, nodes }),
    mkdtemp(`${tmpdir()}/tessera-faults-`),
  ]);
  const signer = await openFileSigner(`${folder}/signer.json`);
  for (const key of fundedKeys(PAYERS)) chain.fund(await signer.address(key), 1_000 * SOL);
  await initChain({ rpcUrl: chain.rpcUrl, programId: chain.programId, signer });
  // Far apart, so that two installations that start together do not find the same.
  const port = await findPort(20_000 + randomInt(10_000));
  const space = `test-${randomBytes(4).toString('hex')}`;
  const url = `http://127.0.0.1:${port}`;
  const env = {
    NODE_ENV: 'test',
    LOG_LEVEL: 'info',
    RATE_LIMIT_PER_MINUTE: '1000000',
    // A few buyers stand for many.
    MAX_HELD_PLACES: '10000',
    HOLDS_PER_MINUTE: '1000000',
    HOLDS_PER_MINUTE_AND_ADDRESS: '1000000',
    // The server is shared with other tests.
    DATABASE_POOL_SIZE: '4',
    HTTP_PORT: String(port),
    PUBLIC_URL: url,
    DATABASE_URL: database.url('tessera_app'),
    DATABASE_RELAY_URL: database.url('tessera_relay'),
    DATABASE_LISTENER_URL: database.url('tessera_listener'),
    AMQP_URL: amqp,
    AMQP_NAMESPACE: `${space}.`,
    REDIS_URL: redis,
    REDIS_PREFIX: `${space}:`,
    // What lies is not the first, and never alone.
    CHAIN_RPC_URL: [chain.nodes.honest, chain.nodes.liar, chain.nodes.behind]
      .map(({ rpcUrl }) => rpcUrl)
      .join(','),
    CHAIN_WS_URL: chain.nodes.honest.wsUrl,
    CHAIN_PROGRAM_ID: chain.programId,
    CHAIN_PAYERS: String(PAYERS),
    SIGNER_KEY_FILE: `${folder}/signer.json`,
    MAIL_FOLDER: `${folder}/mail`,
    QR_MASTER_KEYS: `1:${randomBytes(32).toString('base64')}`,
    ...identity,
  };
  const tenants: Tenant[] = [];
  for (const name of ['Left', 'Right']) {
    const opened = runChild('src/main/create-tenant.ts', env, [name]);
    if ((await opened.ended) !== 0) throw new Error(opened.output());
    const [, tenantId = '', adminKey = ''] = /tenant (\S+)\s+key\s+(\S+)/.exec(opened.output()) ?? [];
    tenants.push({ tenantId, adminKey });
  }
  return {
    ...{ url, env, chain, database, tenants },
    async countDead() {
      const connection = await connect(amqp);
      const channel = await connection.createChannel();
      let dead = 0;
      for (const queue of Object.keys(topology))
        dead += (await channel.checkQueue(`${space}.${queue}.dlq`)).messageCount;
      await connection.close();
      return dead;
    },
    async close() {
      await chain.stop();
      await Promise.all([
        database.drop(),
        rm(folder, { recursive: true, force: true }),
        deleteTopology(amqp, `${space}.`),
      ]);
    },
  };
}
