import { type SpawnSyncOptions, spawn, spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { type Found, findServices, type Services, serviceVariables } from './support/services.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

type Name = keyof Services;

/** What runs without a server, and what is left out then. */
const withoutServer: Record<Name, string> = {
  postgres: 'everything runs on the PostgreSQL that npm brought',
  redis: 'left out: the suites against Redis; the memory cache stands in elsewhere',
  amqp: 'left out: the suites against RabbitMQ; the in-process bus stands in elsewhere',
};

/**
 * `npm test`: finds PostgreSQL, Redis and RabbitMQ, starts what is missing where that is possible, runs all suites and
 * ends with their count. REQUIRE_SERVICES=1 makes a missing server a failure; EMBEDDED=1 uses none. Arguments go to vitest.
 */
async function main(): Promise<number> {
  const { services, refused } = await provideServices();
  const missing = (Object.keys(services) as Name[]).filter((name) => services[name] === undefined);
  if (missing.length > 0 && process.env.REQUIRE_SERVICES === '1') {
    for (const [name, reason] of Object.entries(refused)) console.error(`${name}: ${reason}`);
    console.error(`REQUIRE_SERVICES=1, and there is no ${missing.join(', no ')}.`);
    return 1;
  }
  const say = (): void => {
    for (const name of missing) {
      const why = refused[name] ? ` (${refused[name]}, and was left alone)` : '';
      console.log(`no ${name}${why}: ${withoutServer[name]}`);
    }
  };
  say();
  const folder = await mkdtemp(`${tmpdir()}/tessera-report-`);
  const code = await runVitest(services, `${folder}/report.json`);
  const report = await readFile(`${folder}/report.json`, 'utf8').catch(() => undefined);
  await rm(folder, { recursive: true });
  if (report === undefined) {
    console.error('The test runner left no report.');
    console.log('0 passed, 1 failed');
    return 1;
  }
  const { numPassedTests, numFailedTests, numFailedTestSuites } = JSON.parse(report);
  // A file that cannot be loaded has no tests to fail, and is a failure all the same.
  const failed = numFailedTests + (numFailedTests === 0 ? numFailedTestSuites : 0);
  say();
  console.log(`${numPassedTests} passed, ${failed} failed`);
  return code === 0 && failed === 0 && numPassedTests > 0 ? 0 : 1;
}

async function provideServices(): Promise<Found> {
  const env = { ...process.env };
  let found = await findServices(env);
  const missing = () =>
    (Object.keys(found.services) as Name[]).filter((name) => !found.services[name] && !found.refused[name]);
  if (env.EMBEDDED === '1' || missing().length === 0) return found;
  const started = startWithDocker(missing()) ? {} : startWithDebian(missing());
  if (!started) return found;
  Object.assign(env, started);
  for (let waited = 0; waited < 60 && missing().length > 0; waited++) {
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    found = await findServices(env);
  }
  return found;
}

const quiet: SpawnSyncOptions = { stdio: 'ignore' };

function startWithDocker(missing: Name[]): boolean {
  if (spawnSync('docker', ['info'], quiet).status !== 0) return false;
  const wanted = missing.map((name) => (name === 'amqp' ? 'rabbitmq' : name));
  console.log(`starting ${wanted.join(', ')} with docker compose`);
  return (
    spawnSync('docker', ['compose', 'up', '-d', '--wait', ...wanted], { cwd: root, stdio: 'inherit' })
      .status === 0
  );
}

const debianPackages: Record<Name, string> = {
  postgres: 'postgresql',
  redis: 'redis-server',
  amqp: 'rabbitmq-server',
};

/**
 * As root on Debian or a relative of it: installs what is missing and starts it. Returns the variables that name what
 * does not answer where it is looked for; undefined when nothing could be started.
 */
function startWithDebian(missing: Name[]): Record<string, string> | undefined {
  if (process.getuid?.() !== 0 || spawnSync('apt-get', ['--version'], quiet).status !== 0) return undefined;
  const isThere = (name: Name) => spawnSync('dpkg', ['-s', debianPackages[name]], quiet).status === 0;
  const packages = missing.filter((name) => !isThere(name)).map((name) => debianPackages[name]);
  console.log(
    `starting ${missing.join(', ')}${packages.length > 0 ? `; installing ${packages.join(', ')}` : ''}`,
  );
  if (packages.length > 0 && !install(packages)) return undefined;
  for (const name of missing) spawnSync('sh', ['-c', debianStart[name]], { stdio: 'inherit' });
  return missing.includes('postgres')
    ? { [serviceVariables.postgres]: `postgres://postgres@127.0.0.1:${CLUSTER_PORT}/postgres` }
    : {};
}

function install(packages: string[]): boolean {
  const options: SpawnSyncOptions = {
    stdio: 'inherit',
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  };
  spawnSync('apt-get', ['update', '-qq'], options);
  const wanted = ['install', '-y', '-qq', '--no-install-recommends', ...packages];
  return spawnSync('apt-get', wanted, options).status === 0;
}

/** Nobody's cluster is likely to be there. */
const CLUSTER_PORT = 54_328;

const debianStart: Record<Name, string> = {
  // A cluster of its own, which lets this machine in: whoever owns the cluster `main` has decided who may enter it.
  postgres: `version=$(ls /usr/lib/postgresql | sort -n | tail -1)
    [ -d "/etc/postgresql/$version/tessera" ] ||
      pg_createcluster --port ${CLUSTER_PORT} --start-conf manual "$version" tessera -- --auth=trust >/dev/null
    pg_ctlcluster --skip-systemctl-redirect "$version" tessera start`,
  redis: 'redis-server --daemonize yes --bind 127.0.0.1 --save ""',
  amqp: 'rabbitmq-server -detached',
};

function runVitest(services: Services, reportFile: string): Promise<number> {
  const given = Object.entries(services).flatMap(([name, url]) =>
    url ? [[serviceVariables[name as Name], url]] : [],
  );
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${reportFile}`];
  const child = spawn(`${root}node_modules/.bin/vitest`, ['run', ...reporters, ...process.argv.slice(2)], {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, ...Object.fromEntries(given) },
  });
  return new Promise((resolve) => child.once('close', (code) => resolve(code ?? 1)));
}

process.exit(await main());
