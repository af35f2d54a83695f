import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readdir, readFile, readlink, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { endLeftover } from '../../src/main/embedded/end-leftover.ts';
import { findPort } from '../../src/main/embedded/find-port.ts';
import { startPostgres } from '../../src/main/embedded/start-postgres.ts';
import { waitFor } from '../../src/platform/retry.ts';
import { type Child, runChild } from '../support/run-child.ts';

// Each test starts whole stacks, and a busy machine takes its time for them.
vi.setConfig({ testTimeout: 90_000 });

const folders: string[] = [];
const started: Child[] = [];
let port: number;

beforeAll(async () => {
  port = await findPort(18_300);
});
afterEach(async () => {
  await Promise.all(started.splice(0).map((child) => child.stop('SIGKILL')));
});
afterAll(async () => {
  for (const folder of folders) {
    await endLeftover(`${folder}/postgres/data`);
    await rm(folder, { recursive: true, force: true });
  }
});

/** With a space in its name, as folders of people have. */
async function newFolder(): Promise<string> {
  const folder = await mkdtemp(`${tmpdir()}/tessera start `);
  // Open to others: below a closed one root would put the database elsewhere.
  await chmod(folder, 0o755);
  folders.push(folder);
  return folder;
}

function start(folder: string, env: Record<string, string> = {}): Child {
  const given = { DATA_FOLDER: folder, HTTP_PORT: String(port), ...env };
  const child = runChild('src/main/up.ts', given, ['--no-demo']);
  started.push(child);
  return child;
}

async function untilUp(child: Child): Promise<void> {
  const up = await Promise.race([
    waitFor(async () => /Up after/.test(child.output()), { timeoutMs: 60_000 }),
    child.ended.then(() => false),
  ]);
  if (!up) throw new Error(`it did not come up:\n${child.output()}`);
}

/** What runs in the folder or was started with it in its arguments. */
async function processesOf(folder: string): Promise<string[]> {
  const found: string[] = [];
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    const cwd = await readlink(`/proc/${pid}/cwd`).catch(() => '');
    const command = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).replaceAll('\0', ' ');
    if (cwd.startsWith(folder) || command.includes(folder)) found.push(`${pid} ${command}`);
  }
  return found;
}

describe('a second npm start in the same folder', () => {
  it('is refused in one sentence and leaves the first alone', async () => {
    const folder = await newFolder();
    const first = start(folder);
    await untilUp(first);
    const second = start(folder, { HTTP_PORT: '' });
    expect(await second.ended).toBe(1);
    expect(second.output()).toContain(
      `Another Tessera runs in ${folder} (process ${first.pid}, http://127.0.0.1:${port}); stop it first, or set DATA_FOLDER to another folder.`,
    );
    expect(second.output()).not.toContain('    at ');
    expect((await fetch(`http://127.0.0.1:${port}/health/ready`)).status).toBe(200);
    expect(await first.stop('SIGINT')).toBe(0);
  });

  it('starts when both start at the same time: one of the two', async () => {
    const folder = await newFolder();
    const children = [start(folder, { HTTP_PORT: '' }), start(folder, { HTTP_PORT: '' })];
    const refused = await Promise.race(children.map(({ ended }, i) => ended.then((code) => ({ i, code }))));
    expect(refused.code).toBe(1);
    expect(children[refused.i]?.output()).toContain('Another Tessera runs in');
    await untilUp(children[1 - refused.i] as Child);
    expect(await children[1 - refused.i]?.stop('SIGINT')).toBe(0);
  });
});

it('starts in another folder beside the first, under the next port, as long as none is asked for', async () => {
  const taken = createServer();
  // Whoever has the port already does as well.
  await new Promise((resolve) =>
    taken.once('listening', resolve).once('error', resolve).listen(8_080, '127.0.0.1'),
  );
  try {
    const child = start(await newFolder(), { HTTP_PORT: '' });
    await untilUp(child);
    const [, url = ''] = /API {3}.*?(http:\S+);.*8080 is in use/.exec(child.output()) ?? [];
    expect((await fetch(`${url}/health/ready`)).status, child.output()).toBe(200);
    expect(await child.stop('SIGINT')).toBe(0);
  } finally {
    taken.close();
  }
});

it('finds PostgreSQL a port of its own, however many start at the same time', async () => {
  // Initialised before, so that all of them are at the same point when they look for a port.
  const homes = await Promise.all(
    Array.from({ length: 4 }, async () => {
      const home = `${await newFolder()}/postgres`;
      await (await startPostgres({ folder: home })).stop();
      return home;
    }),
  );
  const servers = await Promise.all(homes.map((home) => startPostgres({ folder: home })));
  expect(new Set(servers.map(({ port }) => port)).size).toBe(4);
  await Promise.all(servers.map((server) => server.stop()));
});

describe('a postmaster.pid that a crash left behind', () => {
  it('gets no signal through when its number is another program’s by now, and PostgreSQL starts', async () => {
    const folder = await newFolder();
    const data = `${folder}/postgres/data`;
    await (await startPostgres({ folder: `${folder}/postgres` })).stop();
    const { uid, gid } = await stat(data);
    // As the user of PostgreSQL, which looks for itself whether that number runs.
    const other = spawn('sleep', ['600'], { uid, gid, stdio: 'ignore' });
    try {
      await writeFile(`${data}/postmaster.pid`, `${other.pid}\n${data}\n1700000000\n54329\n\n127.0.0.1\n`);
      const server = await startPostgres({ folder: `${folder}/postgres` });
      await server.stop();
      expect([other.exitCode, other.signalCode]).toEqual([null, null]);
    } finally {
      other.kill('SIGKILL');
    }
  });

  it('leads to the PostgreSQL of a run that was killed, which is stopped', async () => {
    const folder = await newFolder();
    const doomed = start(folder);
    await untilUp(doomed);
    await doomed.stop('SIGKILL');
    const [left] = await processesOf(`${folder}/postgres/data`);
    expect(left).toMatch(/postgres/);
    const child = start(folder);
    await untilUp(child);
    expect(await processesOf(`${folder}/postgres/data`)).not.toContain(left);
    expect(await child.stop('SIGINT')).toBe(0);
    expect(await processesOf(folder)).toEqual([]);
  });
});

describe('a signal to end', () => {
  const running = (what: RegExp) => async (_child: Child, folder: string) =>
    (await processesOf(folder)).some((line) => what.test(line));
  const printed = (what: string) => async (child: Child) => child.output().includes(`  ${what}   `);
  const moments: [string, (child: Child, folder: string) => Promise<boolean>, number][] = [
    ['the first line', async (child) => child.output().includes('setting itself up'), 0],
    ['initdb', running(/bin\/initdb/), 0],
    ['initdb at work', running(/bin\/initdb/), 500],
    ['PostgreSQL starting', running(/bin\/postgres -D/), 0],
    ['PostgreSQL', printed('PostgreSQL'), 0],
    ['migrations', printed('PostgreSQL'), 60],
    ['the Solana runtime', printed('Solana runtime'), 0],
    ['the API', printed('API'), 0],
  ];

  it.each(moments.map(([name], i) => [(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)[i % 3], name, i] as const))(
    '%s at the start of %s ends all that was started, and the next start succeeds',
    async (signal, _name, i) => {
      const [, isNow, laterMs] = moments[i] as (typeof moments)[number];
      const folder = await newFolder();
      const child = start(folder, { HTTP_PORT: '' });
      const came = await waitFor(() => isNow(child, folder), { timeoutMs: 30_000, everyMs: 5 });
      expect(came, child.output()).toBe(true);
      await delay(laterMs);
      const begin = performance.now();
      expect(await child.stop(signal), child.output()).toBe(0);
      expect(performance.now() - begin).toBeLessThan(10_000);
      expect(await processesOf(folder), child.output()).toEqual([]);
      const next = start(folder, { HTTP_PORT: '' });
      await untilUp(next);
      expect(await next.stop(signal)).toBe(0);
      expect(await processesOf(folder)).toEqual([]);
    },
  );
});

it('starts after a run that was too short for its clock of slots', async () => {
  const folder = await newFolder();
  const savedAt = new Date().toISOString();
  await writeFile(`${folder}/chain.json`, JSON.stringify({ slot: 1, savedAt, accounts: {} }));
  const child = start(folder);
  await untilUp(child);
  expect(child.output()).toMatch(/chain restored\s+0 accounts/);
  expect(await child.stop('SIGINT')).toBe(0);
});

describe.skipIf(process.getuid?.() !== 0)('a port that only root may open', () => {
  it('is told from one that is in use', async () => {
    const folder = await newFolder();
    const script = [process.execPath, 'src/main/up.ts', '--no-demo'];
    const nobody = ['--reuid=65534', '--regid=65534', '--clear-groups'];
    const child = spawn('setpriv', [...nobody, ...script], {
      env: {
        PATH: process.env.PATH,
        DATA_FOLDER: `${tmpdir()}/${folder.split('/').at(-1)} of nobody`,
        HTTP_PORT: '80',
      },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let output = '';
    child.stderr.on('data', (chunk) => {
      output += chunk;
    });
    await once(child, 'close');
    await rm(`${folder} of nobody`, { recursive: true, force: true });
    expect(output).toBe(
      'This user has no permission to listen on port 80 (EACCES); set HTTP_PORT to 1024 or above.\n',
    );
  });
});
