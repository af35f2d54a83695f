import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { Connection } from '@solana/web3.js';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { toAddress } from '../../programs-client/addresses.ts';
import { verifyTicket } from '../../programs-client/verify-ticket.ts';
import type { TicketView } from '../../src/domain/tickets/schema.ts';
import { findPort } from '../../src/main/embedded/find-port.ts';
import { waitFor } from '../../src/platform/retry.ts';
import { type Child, runChild } from '../support/run-child.ts';

let folder: string;
let port: number;
const started: Child[] = [];

beforeAll(async () => {
  folder = await mkdtemp(`${tmpdir()}/tessera-up-`);
  // Below a folder that is closed to others root would put the database elsewhere.
  await chmod(folder, 0o755);
  port = await findPort(18_200);
});
afterEach(async () => {
  await Promise.all(started.splice(0).map((child) => child.stop('SIGKILL')));
});
afterAll(async () => {
  // A test that failed may have left a PostgreSQL behind.
  const pid = Number(
    (await readFile(`${folder}/postgres/data/postmaster.pid`, 'utf8').catch(() => '')).split('\n')[0],
  );
  if (pid) process.kill(pid, 'SIGINT');
  await waitFor(
    () =>
      readFile(`${folder}/postgres/data/postmaster.pid`).then(
        () => false,
        () => true,
      ),
    { timeoutMs: 10_000 },
  );
  await rm(folder, { recursive: true, force: true });
});

function start(args: string[] = [], env: Record<string, string> = {}): Child {
  const child = runChild('src/main/up.ts', { DATA_FOLDER: folder, HTTP_PORT: String(port), ...env }, args);
  started.push(child);
  return child;
}

async function untilUp(child: Child): Promise<string> {
  const up = await Promise.race([
    // The last of what is always printed: what comes before it may arrive in pieces.
    waitFor(
      async () => /A tenant of your own/.test(child.output()) && /Solana RPC (\S+)/.exec(child.output())?.[1],
      {
        timeoutMs: 60_000,
      },
    ),
    child.ended.then(() => undefined),
  ]);
  if (up === undefined) throw new Error(`it did not come up:\n${child.output()}`);
  return up;
}

async function stop(child: Child): Promise<number> {
  const begin = performance.now();
  expect(await child.stop('SIGINT'), child.output()).toBe(0);
  return performance.now() - begin;
}

/** The admin key that the walk printed, and the tickets of its tenant. */
const keyIn = (output: string): string => /admin key\s+(tk_live_\S+)/.exec(output)?.[1] ?? '';

async function tickets(key: string): Promise<TicketView[]> {
  const response = await fetch(`http://127.0.0.1:${port}/api/tickets`, {
    headers: { authorization: `Bearer ${key}` },
  });
  const answer = (await response.json()) as { items: TicketView[] };
  expect(response.status, JSON.stringify(answer)).toBe(200);
  return answer.items;
}

async function untilOnChain(key: string, rpcUrl: string): Promise<TicketView[]> {
  const connection = new Connection(rpcUrl, 'confirmed');
  const found = await waitFor(
    async () => {
      const items = await tickets(key);
      if (items.length === 0 || items.some(({ nftMint }) => nftMint === null)) return false;
      for (const { nftMint, ownerWallet } of items) {
        const state = await verifyTicket(connection, toAddress(nftMint ?? '')).catch(() => undefined);
        if (state?.holder !== ownerWallet) return false;
      }
      return items;
    },
    { timeoutMs: 60_000 },
  );
  if (!found) throw new Error(`not on chain: ${JSON.stringify(await tickets(key))}`);
  return found;
}

// Most tests start whole stacks, and a busy machine takes its time for them.
vi.setConfig({ testTimeout: 90_000 });

describe('npm start', () => {
  let key: string;
  let before: TicketView[];

  it('sets everything up and walks an order through it in under a minute', async () => {
    const begin = performance.now();
    const child = start();
    const rpcUrl = await untilUp(child);
    expect(performance.now() - begin).toBeLessThan(60_000);
    for (const step of [
      'mint confirmed',
      'listener',
      'second scan',
      'transfer on chain',
      "the new holder's code",
      'check-in on chain',
    ]) {
      expect(child.output()).toContain(step);
    }
    key = keyIn(child.output());
    expect(key).toMatch(/^tk_live_/);
    expect(await untilOnChain(key, rpcUrl)).toHaveLength(2);
    const [, url = ''] = /API {8}(http:\S+)\/api/.exec(child.output()) ?? [];
    expect(await sendPurchaseOfReference(url, key)).toBe(201);
    before = await untilOnChain(key, rpcUrl);
    expect(before.length).toBeGreaterThan(2);
    expect(await stop(child)).toBeLessThan(10_000);
  });

  it('keeps database and chain over a stop', async () => {
    const child = start(['--no-demo']);
    const rpcUrl = await untilUp(child);
    expect(child.output()).toMatch(/chain restored\s+\d+ accounts/);
    expect(child.output()).not.toContain('minted again');
    expect(keyIn(child.output()), 'the credentials are printed again').toBe(key);
    const after = await untilOnChain(key, rpcUrl);
    expect(after.map(({ id, nftMint, ownerWallet }) => [id, nftMint, ownerWallet])).toEqual(
      before.map(({ id, nftMint, ownerWallet }) => [id, nftMint, ownerWallet]),
    );
    await stop(child);
  });

  it('starts again after it was killed, and mints what the chain has lost at the same addresses', async () => {
    const doomed = start(['--no-demo']);
    await untilUp(doomed);
    await doomed.stop('SIGKILL');
    await rm(`${folder}/chain.json`);
    await writeFile(
      `${folder}/chain.json`,
      JSON.stringify({ slot: 1_000, savedAt: new Date().toISOString(), accounts: {} }),
    );

    const child = start(['--no-demo']);
    const rpcUrl = await untilUp(child);
    expect(child.output()).toContain(`${before.length} tickets were not in it and are minted again`);
    const after = await untilOnChain(key, rpcUrl);
    expect(after.map(({ id, nftMint }) => [id, nftMint])).toEqual(
      before.map(({ id, nftMint }) => [id, nftMint]),
    );
    await stop(child);
  });

  it('is found by the commands that work on a database, while it runs and no other is named', async () => {
    const run = async (name: string, args: string[] = [], env: Record<string, string> = {}) => {
      const child = runChild(`src/main/${name}.ts`, { DATA_FOLDER: folder, ...env }, args);
      return { code: await child.ended, output: child.output() };
    };
    const child = start(['--no-demo']);
    await untilUp(child);
    const opened = await run('create-tenant', ['Another']);
    const [, anotherKey = ''] = /key {4}(tk_live_\S+)/.exec(opened.output) ?? [];
    expect(await tickets(anotherKey), opened.output).toEqual([]);
    expect(await run('show-drift')).toEqual({ code: 0, output: 'Each of 1 counters equals its rows.\n' });
    expect(await run('migrate')).toEqual({ code: 0, output: 'the database is up to date\n' });
    const status = await run('show-chain-status', ['--json']);
    const { cluster, payers, parked } = JSON.parse(status.output);
    expect([status.code, cluster === null, payers.length, parked], status.output).toEqual([
      0,
      false,
      5,
      { count: 0, newest: [] },
    ]);
    expect((await run('show-chain-status')).output).toContain('All is well.');
    expect((await run('audit-chain')).output).toMatch(/tickets.*corrected/s);
    expect(await run('retry-quarantine')).toEqual({ code: 0, output: 'Nothing was given up.\n' });
    expect(await run('resume-parked')).toEqual({ code: 0, output: 'Nothing is parked.\n' });
    const elsewhere = { DATABASE_URL: 'postgres://tessera_app:x@127.0.0.1:1/x' };
    expect((await run('create-tenant', ['Another'], elsewhere)).output).toContain('does not answer');
    await stop(child);
    for (const name of ['create-tenant', 'show-drift', 'migrate', 'resume-parked']) {
      expect(await run(name, ['Another'])).toEqual({
        code: 1,
        output: `No database is named (DATABASE_URL; .env.example has them all), and npm start does not run in ${folder}.\n`,
      });
    }
  });

  it('opens a tenant and prints its credentials where nothing was walked before', async () => {
    const fresh = `${folder}/fresh`;
    const child = start(['--no-demo'], { DATA_FOLDER: fresh });
    await untilUp(child);
    const ownKey = keyIn(child.output());
    expect(await tickets(ownKey)).toEqual([]);
    expect(child.output()).toContain('npm run tenant -- "Name"');
    await stop(child);
    // The database is another one now, and what is kept of the former leads nowhere.
    await rm(`${fresh}/postgres`, { recursive: true });
    const next = start(['--no-demo'], { DATA_FOLDER: fresh });
    await untilUp(next);
    expect(keyIn(next.output())).not.toBe(ownKey);
    expect(await tickets(keyIn(next.output()))).toEqual([]);
    await stop(next);
  });

  it('brings its own identity, whatever the environment says of another', async () => {
    const env = { JWT_JWKS_URL: 'https://id.example.com/jwks.json', JWT_ISSUER: 'https://id.example.com/' };
    const child = start(['--no-demo'], { ...env, JWT_ALGORITHMS: 'RS256' });
    await untilUp(child);
    const [, token = ''] = /token of alice\s+(\S+)/.exec(child.output()) ?? [];
    expect(await tickets(token)).toBeInstanceOf(Array);
    await stop(child);
  });

  it('says in a sentence that a broker which it was told of does not answer', async () => {
    const child = start(['--no-demo'], { AMQP_URL: 'amqp://127.0.0.1:1' });
    expect(await child.ended).toBe(1);
    expect(child.output()).toContain('RabbitMQ does not answer at AMQP_URL;');
  });

  it('says in a sentence when its port is taken', async () => {
    const taken = createServer().listen(port, '127.0.0.1');
    try {
      const child = start(['--no-demo']);
      expect(await child.ended).toBe(1);
      expect(child.output()).toContain(
        `Port ${port} is in use by another program; set HTTP_PORT to a free one.`,
      );
      expect(child.output()).not.toContain('    at ');
    } finally {
      taken.close();
    }
  });

  it('says in a sentence when its folder cannot be used', async () => {
    const file = `${folder}/a-file`;
    await writeFile(file, '');
    const child = start(['--no-demo'], { DATA_FOLDER: file });
    expect(await child.ended).toBe(1);
    expect(child.output()).toContain(`The folder ${file} cannot be used`);
    expect(child.output()).not.toContain('    at ');
  });

  it('says in a sentence what is wrong with a setting', async () => {
    const child = start(['--no-demo'], { HTTP_PORT: 'eighty' });
    expect(await child.ended).toBe(1);
    expect(child.output()).toMatch(/HTTP_PORT .*number/i);
  });
});

/** The example of the reference, as it stands, by somebody who has the key that was printed. */
async function sendPurchaseOfReference(url: string, key: string): Promise<number> {
  const document = (await (await fetch(`${url}/openapi.json`)).json()) as {
    paths: Record<
      string,
      {
        post: {
          parameters: { in: string; name: string; required?: boolean; example?: string }[];
          requestBody: { content: Record<string, { example: unknown }> };
        };
      }
    >;
  };
  const { parameters, requestBody } = document.paths['/api/tickets/purchase']?.post ?? {
    parameters: [],
    requestBody: { content: {} },
  };
  const headers = parameters.flatMap((one) =>
    one.in === 'header' && one.required ? [[one.name, one.example ?? '']] : [],
  );
  const response = await fetch(`${url}/api/tickets/purchase`, {
    method: 'POST',
    headers: {
      ...Object.fromEntries(headers),
      authorization: `Bearer ${key}`,
      'on-behalf-of': 'dora',
      'content-type': 'application/json',
    },
    body: JSON.stringify(requestBody.content['application/json']?.example),
  });
  return response.status;
}
