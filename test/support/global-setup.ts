import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import type { TestProject } from 'vitest/node';
import { startPostgres } from '../../src/main/embedded/start-postgres.ts';
import { migrate } from '../../src/platform/migrate.ts';
import { findServices, type Services } from './services.ts';
import { createLogins, databaseUrl, type Logins } from './test-logins.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** PostgreSQL as a superuser; of its databases one is the migrated template. */
    postgres: string;
    template: string;
    logins: Logins;
    redis: string | null;
    amqp: string | null;
  }
}

/** Finds the servers, migrates one database, and gives every test file the means to clone it. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const { services } = await findServices(process.env);
  const { postgres, stop } = await openPostgres(services);
  const template = `tessera_template_${process.pid}`;
  await query(postgres, `create database ${template}`);
  await migrate({
    ownerUrl: databaseUrl(postgres, template),
    folder: fileURLToPath(new URL('../../migrations', import.meta.url)),
  });
  const { logins, drop } = await createLogins(postgres);
  project.provide('postgres', postgres);
  project.provide('logins', logins);
  project.provide('template', template);
  project.provide('redis', services.redis ?? null);
  project.provide('amqp', services.amqp ?? null);
  return async () => {
    await query(postgres, `drop database if exists ${template} with (force)`);
    await drop();
    await stop();
  };
}

async function openPostgres(services: Services): Promise<{ postgres: string; stop: () => Promise<void> }> {
  if (services.postgres) return { postgres: services.postgres, stop: async () => undefined };
  const folder = await mkdtemp(`${tmpdir()}/tessera-test-`);
  // Below a folder that is closed to others root would put the data elsewhere, and nobody would remove it.
  await chmod(folder, 0o755);
  const server = await startPostgres({ folder });
  const stop = async (): Promise<void> => {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  };
  return { postgres: server.url('postgres', 'postgres'), stop };
}

async function query(url: string, text: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(text);
  await client.end();
}
