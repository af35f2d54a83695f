import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseEnv } from 'node:util';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { loadConfig, type ProcessName, variables } from '../../src/config.ts';

const path = (name: string): string => fileURLToPath(new URL(`../../${name}`, import.meta.url));
const read = (name: string): string => readFileSync(path(name), 'utf8');

type Service = {
  command?: string[];
  entrypoint?: string[];
  environment?: Record<string, string | number>;
  depends_on?: Record<string, unknown>;
  volumes?: string[];
};
const services = (parse(read('docker-compose.yml'), { merge: true }) as { services: Record<string, Service> })
  .services;

/** As compose fills in `${NAME:-default}` where nothing is set. */
function environmentOf(service: Service | undefined): Record<string, string> {
  const entries = Object.entries(service?.environment ?? {});
  return Object.fromEntries(
    entries.map(([name, value]) => [
      name,
      String(value).replace(/\$\{\w+:?-([^}]*)\}/g, (_, otherwise) => otherwise),
    ]),
  );
}

describe('docker-compose.yml', () => {
  it.each([
    ['api', 'src/main/api.ts'],
    ['background', 'src/main/background.ts'],
    ['mint-worker', 'src/main/mint-worker.ts'],
    ['listener', 'listener/main.ts'],
    ['migrate', 'src/main/migrate.ts'],
    ['setup-chain', 'src/main/setup-chain.ts'],
  ] as [ProcessName, string][])('gives %s what it needs', (name, script) => {
    const service = services[name];
    expect(service?.command).toEqual(['node', script]);
    expect(() => read(script)).not.toThrow();
    expect(() => loadConfig(environmentOf(service), name)).not.toThrow();
  });

  it('brings PostgreSQL, Redis, RabbitMQ and a test validator, each with a pinned image and a health check', () => {
    for (const name of ['postgres', 'redis', 'rabbitmq', 'solana']) {
      const service = services[name] as { image?: string; healthcheck?: unknown } | undefined;
      expect(service?.image, name).toMatch(/:v?\d+\.\d+/);
      expect(service?.healthcheck, name).toBeDefined();
    }
  });

  it('starts a validator that the program works with, as Anchor.toml does', () => {
    const { image, command = [], entrypoint = [] } = services.solana as Service & { image: string };
    // What 3.0 ends with: "called `Result::unwrap()` on an `Err` value: UnspecifiedIpAddr(0.0.0.0)".
    expect([...entrypoint, ...command].join(' ')).not.toContain('0.0.0.0');
    expect(entrypoint[2]).toMatch(/^exec solana-test-validator --bind-address /);
    expect(image).toBe('anzaxyz/agave:v3.0.0');
    const off = command[command.indexOf('--deactivate-feature') + 1];
    const anchor = read('Anchor.toml');
    expect(anchor).toContain(`deactivate_feature = ["${off}"]`);
    expect(anchor).toContain('solana_version = "3.0.0"');
    const [id, file = ''] = command.slice(command.indexOf('--bpf-program') + 1);
    expect(id).toContain(environmentOf(services.api).CHAIN_PROGRAM_ID);
    const [, mounted] = services.solana?.volumes ?? [];
    expect(mounted).toBe(`./programs/ticketing/ticketing.so:${file}:ro`);
  });

  it('refers to nothing that it does not have', () => {
    const compose = parse(read('docker-compose.yml'), { merge: true }) as {
      services: Record<string, Service>;
      volumes: Record<string, unknown>;
    };
    for (const [name, { depends_on = {}, volumes = [] }] of Object.entries(compose.services)) {
      for (const other of Object.keys(depends_on)) expect(compose.services, name).toHaveProperty(other);
      for (const volume of volumes) {
        const [source = ''] = volume.split(':');
        if (source.startsWith('./')) expect(() => read(source.slice(2)), name).not.toThrow();
        else expect(Object.keys(compose.volumes), name).toContain(source);
      }
    }
  });

  it('gives keys of the chain to the worker and the setup alone', () => {
    const withKeys = Object.keys(services).filter(
      (name) => 'SIGNER_KEY_FILE' in environmentOf(services[name]),
    );
    expect(withKeys.sort()).toEqual(['mint-worker', 'setup-chain']);
  });
});

describe('.env.example', () => {
  it('names every variable that a process reads, and no other', () => {
    const named = [...read('.env.example').matchAll(/^([A-Z_]+)=/gm)].map((match) => match[1]);
    expect(named.sort()).toEqual([...variables, 'DATA_FOLDER'].sort());
  });

  it.each(['sh', 'bash'])('means the same to %s as to us', (shell) => {
    const print = 'set -eu; set -a; . "$1"; exec "$2" -p "JSON.stringify(process.env)"';
    const args = ['-c', print, shell, path('.env.example'), process.execPath];
    const { stdout, stderr } = spawnSync(shell, args, {
      env: {},
      stdio: ['ignore', 'pipe', 'pipe'],
      encoding: 'utf8',
    });
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toMatchObject(parseEnv(read('.env.example')));
  });

  it.each([
    'api',
    'background',
    'mint-worker',
    'listener',
    'migrate',
    'setup-chain',
    'create-tenant',
    'drift',
    'up',
  ] as const)('is enough for %s on one machine', (name) => {
    expect(() => loadConfig(parseEnv(read('.env.example')), name)).not.toThrow();
  });
});

it('no path is made of the path of a URL, which writes a space in another way', () => {
  const found = spawnSync(
    'grep',
    [
      '-rnE',
      String.raw`import\.meta\.url\)\.pathname`,
      'src',
      'listener',
      'test',
      'bench',
      'programs-client',
      '--include=*.ts',
      '--exclude=installation.test.ts',
    ],
    { cwd: path('.'), encoding: 'utf8' },
  );
  expect([found.status, found.stdout]).toEqual([1, '']);
});
