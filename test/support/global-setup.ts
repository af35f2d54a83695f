import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import pg from 'pg';
import type { TestProject } from 'vitest/node';
import { startPostgres } from '../../src/main/embedded/start-postgres.ts';
import { migrate } from '../../src/platform/migrate.ts';
import { findServices, type Services } from './services.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** PostgreSQL as a superuser; of its databases one is the migrated template. */
    postgres: string;
    template: string;
    redis: string | null;
    amqp: string | null;
  }
}

/** Finds the servers, migrates one database, and gives every test file the means to clone it. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const services = await findServices(process.env);
  const { postgres, stop } = await openPostgres(services);
  const template = `tessera_template_${process.pid}`;
  await query(postgres, `create database ${template}`);
  await migrate({
    ownerUrl: databaseUrl(postgres, template),
    folder: new URL('../../migrations', import.meta.url).pathname,
    logins: loginUrls(postgres),
  });
  project.provide('postgres', postgres);
  project.provide('template', template);
  project.provide('redis', services.redis ?? null);
  project.provide('amqp', services.amqp ?? null);
  return async () => {
    await query(postgres, `drop database if exists ${template} with (force)`);
    await stop();
  };
}

async function openPostgres(services: Services): Promise<{ postgres: string; stop: () => Promise<void> }> {
  if (services.postgres) return { postgres: services.postgres, stop: async () => undefined };
  const folder = await mkdtemp(`${tmpdir()}/tessera-test-`);
  const server = await startPostgres({ folder });
  const stop = async (): Promise<void> => {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  };
  return { postgres: server.url('postgres', 'postgres'), stop };
}

export function databaseUrl(server: string, database: string, user?: string): string {
  const url = new URL(server);
  url.pathname = `/${database}`;
  if (user) url.username = user;
  return url.href;
}

/** Roles log in with the superuser's password: the servers of tests hold nothing worth another. */
export function loginUrls(server: string): string[] {
  return ['tessera_app', 'tessera_relay', 'tessera_listener'].map((user) =>
    databaseUrl(server, 'postgres', user),
  );
}

async function query(url: string, text: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(text);
  await client.end();
}
