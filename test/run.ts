import { type SpawnSyncOptions, spawn, spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { findServices, type Services, serviceVariables } from './support/services.ts';

const root = new URL('..', import.meta.url).pathname;

/** What runs without a server, and what is left out then. */
const withoutServer: Record<keyof Services, string> = {
  postgres: 'everything runs on the PostgreSQL that npm brought',
  redis: 'left out: the suites against Redis; the memory cache stands in elsewhere',
  amqp: 'left out: the suites against RabbitMQ; the in-process bus stands in elsewhere',
};

/**
 * `npm test`: finds PostgreSQL, Redis and RabbitMQ, starts what is missing where that is possible, runs all suites and
 * ends with their count. REQUIRE_SERVICES=1 makes a missing server a failure; EMBEDDED=1 uses none. Arguments go to vitest.
 */
async function main(): Promise<number> {
  const services = await provideServices();
  const missing = (Object.keys(services) as (keyof Services)[]).filter(
    (name) => services[name] === undefined,
  );
  if (missing.length > 0 && process.env.REQUIRE_SERVICES === '1') {
    console.error(`REQUIRE_SERVICES=1, and there is no ${missing.join(', no ')}.`);
    return 1;
  }
  for (const name of missing) console.log(`no ${name}: ${withoutServer[name]}`);
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
  for (const name of missing) console.log(`no ${name}: ${withoutServer[name]}`);
  console.log(`${numPassedTests} passed, ${failed} failed`);
  return code === 0 && failed === 0 && numPassedTests > 0 ? 0 : 1;
}

async function provideServices(): Promise<Services> {
  let services = await findServices(process.env);
  if (Object.values(services).every(Boolean) || process.env.EMBEDDED === '1') return services;
  if (startWithDocker(services) || startWithDebian(services)) {
    for (let waited = 0; waited < 60 && !Object.values(services).every(Boolean); waited++) {
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      services = await findServices(process.env);
    }
  }
  return services;
}

const quiet: SpawnSyncOptions = { stdio: 'ignore' };

function startWithDocker(services: Services): boolean {
  if (spawnSync('docker', ['info'], quiet).status !== 0) return false;
  const names = { postgres: 'postgres', redis: 'redis', amqp: 'rabbitmq' };
  const wanted = Object.entries(names)
    .filter(([name]) => !services[name as keyof Services])
    .map(([, service]) => service);
  console.log(`starting ${wanted.join(', ')} with docker compose`);
  return (
    spawnSync('docker', ['compose', 'up', '-d', '--wait', ...wanted], { cwd: root, stdio: 'inherit' })
      .status === 0
  );
}

/** As root on Debian or a relative of it: installs what is missing and starts it. */
function startWithDebian(services: Services): boolean {
  if (process.getuid?.() !== 0 || spawnSync('apt-get', ['--version'], quiet).status !== 0) return false;
  const packages = { postgres: 'postgresql', redis: 'redis-server', amqp: 'rabbitmq-server' };
  const wanted = Object.entries(packages).filter(([name]) => !services[name as keyof Services]);
  console.log(`installing and starting ${wanted.map(([, name]) => name).join(', ')}`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  spawnSync('apt-get', ['update', '-qq'], { stdio: 'inherit', env });
  const names = wanted.map(([, name]) => name);
  if (
    spawnSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...names], {
      stdio: 'inherit',
      env,
    }).status !== 0
  ) {
    return false;
  }
  for (const [name] of wanted)
    spawnSync('sh', ['-c', debianStart[name as keyof Services]], { stdio: 'inherit' });
  return true;
}

const debianStart: Record<keyof Services, string> = {
  postgres:
    "pg_ctlcluster --skip-systemctl-redirect $(ls /etc/postgresql | tail -1) main start; sed -i 's/^\\(host.*127.0.0.1.*\\) scram-sha-256/\\1 trust/' /etc/postgresql/*/main/pg_hba.conf; pg_ctlcluster --skip-systemctl-redirect $(ls /etc/postgresql | tail -1) main reload",
  redis: 'redis-server --daemonize yes --bind 127.0.0.1 --save ""',
  amqp: 'rabbitmq-server -detached',
};

function runVitest(services: Services, reportFile: string): Promise<number> {
  const given = Object.entries(services).flatMap(([name, url]) =>
    url ? [[serviceVariables[name as keyof Services], url]] : [],
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
