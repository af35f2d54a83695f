import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { loadConfig, type ProcessName, variables } from '../../src/config.ts';

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

type Service = {
  command?: string[];
  environment?: Record<string, string | number>;
  depends_on?: Record<string, unknown>;
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
});
