import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { Connection, Keypair, PublicKey } from '@solana/web3.js';
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { openFileSigner } from '../../src/domain/chain/send/file-signer.ts';
import { tryPort } from '../../src/main/embedded/find-port.ts';
import { type OwnPostgres, startOwnPostgres } from '../support/own-postgres.ts';
import { startRpcProxy } from '../support/rpc-proxy.ts';
import { type Child, runChild } from '../support/run-child.ts';
import { startTestChain, type TestChain } from '../support/test-chain.ts';
import { DEAD_RPC, identity, LOCAL_PROGRAM_ID } from '../support/test-context.ts';

vi.setConfig({ testTimeout: 60_000 });

const amqp = inject('amqp');
const common = {
  NODE_ENV: 'test',
  AMQP_URL: amqp ?? 'amqp://127.0.0.1:1',
  CHAIN_RPC_URL: DEAD_RPC,
  CHAIN_WS_URL: 'ws://127.0.0.1:1',
  CHAIN_PROGRAM_ID: LOCAL_PROGRAM_ID,
  QR_MASTER_KEYS: `1:${randomBytes(32).toString('base64')}`,
  HTTP_PORT: '0',
  ...identity,
};
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(`${tmpdir()}/tessera refusals `);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** A process that has to end with 1 by itself, and to say why without a stack of calls. */
async function refusalOf(child: Child): Promise<string> {
  expect(await child.ended, child.output()).toBe(1);
  expect(child.output()).not.toContain('    at ');
  return child.output();
}

describe('a database that nobody may serve from', () => {
  let server: OwnPostgres;
  const processes = [
    ['src/main/api.ts', 'DATABASE_URL'],
    ['src/main/background.ts', 'DATABASE_RELAY_URL'],
    ['src/main/mint-worker.ts', 'DATABASE_RELAY_URL'],
    ['listener/main.ts', 'DATABASE_LISTENER_URL'],
    ['src/main/create-tenant.ts', 'DATABASE_URL'],
    ['src/main/show-drift.ts', 'DATABASE_RELAY_URL'],
  ] as const;

  const roles = {
    DATABASE_URL: 'tessera_app',
    DATABASE_RELAY_URL: 'tessera_relay',
    DATABASE_LISTENER_URL: 'tessera_listener',
  };
  function run(script: string, database: string, env: Record<string, string> = {}): Child {
    const urls = Object.entries(roles).map(([name, role]) => [name, server.url(role, database)]);
    const files = { MAIL_FOLDER: `${folder}/mail`, SIGNER_KEY_FILE: `${folder}/signer.json` };
    return runChild(script, { ...common, ...files, ...Object.fromEntries(urls), ...env }, ['Name']);
  }

  beforeAll(async () => {
    server = await startOwnPostgres();
    for (const name of ['good', 'empty', 'old']) await server.query(`create database ${name}`);
    for (const name of ['good', 'old']) {
      const urls = Object.entries(roles).map(([variable, role]) => [variable, server.url(role, name)]);
      const env = { DATABASE_OWNER_URL: server.url('postgres', name), ...Object.fromEntries(urls) };
      const migrated = runChild('src/main/migrate.ts', env);
      expect(await migrated.ended, migrated.output()).toBe(0);
    }
    await server.query(
      'delete from schema_migrations where name = (select max(name) from schema_migrations)',
      'old',
    );
    const password = new URL(server.url('postgres', 'good')).password;
    await server.query(`create role boundless login bypassrls password '${password}' in role tessera_app;
      create role climber login password '${password}' in role tessera_app, boundless`);
  });
  afterAll(() => server.stop());

  it.each(processes)('%s refuses a superuser', async (script, variable) => {
    expect(await refusalOf(run(script, 'good', { [variable]: server.url('postgres', 'good') }))).toContain(
      `${variable} logs in as postgres, a superuser, and row-level security does not hold for it; use the roles that npm run migrate makes.`,
    );
  });

  it.each([
    ['boundless', 'a role with BYPASSRLS'],
    ['climber', 'a member of boundless, a role with BYPASSRLS'],
  ])('a role that may bypass row-level security is refused: %s', async (role, what) => {
    const url = server.url(role, 'good');
    expect(await refusalOf(run('src/main/create-tenant.ts', 'good', { DATABASE_URL: url }))).toContain(
      `DATABASE_URL logs in as ${role}, ${what},`,
    );
  });

  it.each(processes)('%s refuses a database that nobody migrated', async (script) => {
    expect(await refusalOf(run(script, 'empty'))).toMatch(
      /The database of DATABASE_\w+ lacks the migration \d{4}_\w+\.sql; run: npm run migrate/,
    );
  });

  it('refuses a database that lacks the newest migration, and serves from one with a newer', async () => {
    expect(await refusalOf(run('src/main/show-drift.ts', 'old'))).toMatch(/lacks the migration \d{4}_/);
    await server.query("insert into schema_migrations values ('9999_later.sql', 'x')", 'good');
    const child = run('src/main/show-drift.ts', 'good');
    expect(await child.ended, child.output()).toBe(0);
  });

  it('says which database is not there, and which does not answer', async () => {
    expect(await refusalOf(run('src/main/show-drift.ts', 'nowhere'))).toContain(
      'The database of DATABASE_URL does not let us in: database "nowhere" does not exist; create it, then run: npm run migrate.',
    );
    const away = { DATABASE_URL: 'postgres://tessera_app:c4n4ry@127.0.0.1:1/x' };
    const output = await refusalOf(run('src/main/create-tenant.ts', 'good', away));
    expect(output).toContain(
      'The database of DATABASE_URL does not answer (connect ECONNREFUSED 127.0.0.1:1).',
    );
    expect(output).not.toContain('c4n4ry');
  });

  describe.skipIf(amqp === null)(
    `a broker that does not let us in${amqp ? '' : ' (left out: needs RabbitMQ)'}`,
    () => {
      const brokerAt = (change: (url: URL) => void): Record<string, string> => {
        const url = new URL(amqp ?? '');
        change(url);
        return { AMQP_URL: url.href };
      };
      const host = amqp ? new URL(amqp).host : '';

      it('is named with the virtual host that is not there', async () => {
        const env = brokerAt((url) => {
          url.pathname = '/nowhere';
        });
        expect(await refusalOf(run('src/main/background.ts', 'good', env))).toContain(
          `RabbitMQ at ${host} has no virtual host "nowhere", or the user "${new URL(amqp ?? '').username}" may not use it (AMQP_URL).`,
        );
      });

      it('is named with the user whose password is wrong, without the password', async () => {
        const env = brokerAt((url) => {
          url.password = 'c4n4ry';
        });
        const output = await refusalOf(run('src/main/background.ts', 'good', env));
        expect(output).toContain(`RabbitMQ at ${host} does not know the user "guest" with this password`);
        expect(output).not.toContain('c4n4ry');
      });

      it('is named with what it refuses', async () => {
        // Names that start so are the broker's own, whatever else the user may do.
        const env = { AMQP_NAMESPACE: 'amq.' };
        expect(await refusalOf(run('src/main/background.ts', 'good', env))).toMatch(
          /RabbitMQ at \S+ refuses the user "guest" in virtual host "\/" what it needs: .*amq\.tessera/,
        );
      });
    },
  );
});

describe('npm run chain:setup', () => {
  let chain: TestChain;
  beforeAll(async () => {
    chain = await startTestChain();
  });
  afterAll(() => chain.stop());

  const setUp = (env: Record<string, string> = {}) =>
    runChild('src/main/setup-chain.ts', {
      CHAIN_RPC_URL: chain.rpcUrl,
      CHAIN_PROGRAM_ID: LOCAL_PROGRAM_ID,
      SIGNER_KEY_FILE: `${folder}/chain-signer.json`,
      ...env,
    });

  it('names the node that does not answer, and keeps what may be a secret of its URL', async () => {
    const url = `http://127.0.0.1:${await tryPort(0)}`;
    const output = await refusalOf(setUp({ CHAIN_RPC_URL: `${url}/c4n4ry?api-key=c4n4ry` }));
    expect(output).toContain(
      `The Solana node at ${url} (CHAIN_RPC_URL) does not answer: connect ECONNREFUSED`,
    );
    expect(output).not.toContain('c4n4ry');
  });

  it('names the program that is not there', async () => {
    const missing = Keypair.generate().publicKey.toBase58();
    expect(await refusalOf(setUp({ CHAIN_PROGRAM_ID: missing }))).toContain(
      `There is no program at ${missing} (CHAIN_PROGRAM_ID) on the chain of ${chain.rpcUrl}`,
    );
  });

  it('names each address that lacks money, and goes on when they have it', async () => {
    const signer = await openFileSigner(`${folder}/chain-signer.json`);
    const admin = await signer.address({ use: 'admin' });
    const payer = await signer.address({ use: 'payer', index: 3 });
    const output = await refusalOf(setUp());
    expect(output).toContain(
      `${admin}, the admin, which pays for the configuration, has 0 SOL on the chain of ${chain.rpcUrl} and needs 0.00`,
    );
    expect(output).toContain(`${payer}, the payer, which pays for tickets, has 0 SOL`);
    expect(output).toContain('or on a test chain set CHAIN_AIRDROP_SOL=100.');
    for (let n = 0; n < 2; n++) {
      const child = setUp({ CHAIN_AIRDROP_SOL: '100' });
      expect(await child.ended, child.output()).toBe(0);
      expect(child.output()).toContain(n === 0 ? 'is configured' : 'was configured before');
    }
    expect(await new Connection(chain.rpcUrl).getBalance(new PublicKey(payer))).toBeGreaterThan(1e9);
  });

  it('names the address that a faucet refuses', async () => {
    const proxy = await startRpcProxy(chain.rpcUrl);
    proxy.fault(({ method }) => (method === 'requestAirdrop' ? 'break' : undefined));
    try {
      const key = `${folder}/other-signer.json`;
      const admin = await (await openFileSigner(key)).address({ use: 'admin' });
      const env = { CHAIN_RPC_URL: proxy.url, SIGNER_KEY_FILE: key, CHAIN_AIRDROP_SOL: '5' };
      expect(await refusalOf(setUp(env))).toContain(`The faucet of ${proxy.url} refuses 5 SOL to ${admin}`);
    } finally {
      await proxy.close();
    }
  });
});

describe('the file of settings', () => {
  it('is loaded by every process, beneath what the environment says', async () => {
    const file = `${folder}/a file of settings`;
    await writeFile(file, 'HTTP_PORT=eighty\nLOG_LEVEL=loud # a word\n');
    const names = [
      'api',
      'background',
      'mint-worker',
      'up',
      'setup-chain',
      'migrate',
      'create-tenant',
      'show-drift',
    ];
    for (const script of [...names.map((name) => `src/main/${name}.ts`), 'listener/main.ts']) {
      const env = {
        ENV_FILE: file,
        DATA_FOLDER: folder,
        LOG_LEVEL: 'info',
        DATABASE_URL: 'postgres://x@127.0.0.1:1/x',
      };
      const output = await refusalOf(runChild(script, env));
      expect(output, script).toContain('HTTP_PORT must be a number.');
      expect(output, script).not.toContain('LOG_LEVEL');
    }
  });

  it('is named when it cannot be read', async () => {
    const env = { ENV_FILE: `${folder}/nowhere` };
    expect(await refusalOf(runChild('src/main/api.ts', env))).toContain(
      `The file ${folder}/nowhere cannot be read as settings`,
    );
  });
});
