import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type OwnPostgres, startOwnPostgres } from '../support/own-postgres.ts';
import { runChild } from '../support/run-child.ts';
import { findServices } from '../support/services.ts';

/** Small, and needs a database as every other does. */
const SMALL = 'test/platform/migrate.test.ts';
const NOWHERE = { TEST_REDIS_URL: 'redis://127.0.0.1:1', TEST_AMQP_URL: 'amqp://127.0.0.1:1' };

let server: OwnPostgres;
let withoutPassword: string;
beforeAll(async () => {
  server = await startOwnPostgres();
  withoutPassword = `postgres://postgres@127.0.0.1:${server.port}/postgres`;
});
afterAll(() => server.stop());

async function npmTest(env: Record<string, string>): Promise<{ code: number | string; output: string }> {
  // An apt-get and a docker that fail: it must not set up servers on the machine that runs this.
  const path = `${import.meta.dirname}/support/no-servers:${process.env.PATH}`;
  const child = runChild('test/run.ts', { PATH: path, ...NOWHERE, ...env }, [SMALL]);
  return { code: await child.ended, output: child.output() };
}

describe('npm test beside a PostgreSQL that wants a password', () => {
  it('leaves that alone, says so, and runs on the embedded one', async () => {
    const { code, output } = await npmTest({ TEST_POSTGRES_URL: withoutPassword });
    expect(output).toContain(
      `no postgres (the one at 127.0.0.1:${server.port} wants a password, and was left alone): everything runs on the PostgreSQL that npm brought`,
    );
    expect(output).toMatch(/\n[1-9]\d* passed, 0 failed\n$/);
    expect(code, output).toBe(0);
    expect(await server.query("select from pg_roles where rolname like 'tessera%'")).toEqual([]);
  });

  it('fails when every server is required, and names the reason', async () => {
    const { code, output } = await npmTest({ TEST_POSTGRES_URL: withoutPassword, REQUIRE_SERVICES: '1' });
    expect(output).toContain(`postgres: the one at 127.0.0.1:${server.port} wants a password`);
    expect(code).toBe(1);
  });

  it('uses it when it is named with its password, and changes no password of a role that was there', async () => {
    await server.query("create role tessera_app login password 'of another installation'");
    const books = `select rolname, rolpassword from pg_authid where rolname !~ '^pg_' order by 1`;
    const before = await server.query(books);
    const { code, output } = await npmTest({ DATABASE_OWNER_URL: server.url('postgres', 'postgres') });
    expect(output).not.toContain('no postgres');
    expect(code, output).toBe(0);
    const made = ['tessera_listener', 'tessera_owner', 'tessera_relay'].map((rolname) => ({
      rolname,
      rolpassword: null,
    }));
    const after = await server.query(books);
    expect(after).toEqual(expect.arrayContaining([...before, ...made]));
    expect(after, 'the logins of the tests are gone').toHaveLength(before.length + made.length);
    expect(await server.query("select from pg_database where datname like 'tessera%'")).toEqual([]);
  });
});

describe('a server is not used', () => {
  const postgresAt = (url: string) => findServices({ ...NOWHERE, TEST_POSTGRES_URL: url });

  it('when its role is no superuser: tests make databases and look behind the scenes', async () => {
    await server.query("create role somebody login password 'secret'");
    const url = `postgres://somebody:secret@127.0.0.1:${server.port}/postgres`;
    expect(await postgresAt(url)).toMatchObject({
      services: { postgres: undefined },
      refused: { postgres: `the one at 127.0.0.1:${server.port} lets us in as no superuser` },
    });
  });

  it('when something else answers on its port', async () => {
    const other = createServer((socket) => {
      socket.on('error', () => undefined).end('220 smtp.example.com\r\n');
    });
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as { port: number };
    try {
      const url = `127.0.0.1:${port}`;
      const { services, refused } = await findServices({
        TEST_POSTGRES_URL: `postgres://postgres@${url}/postgres`,
        TEST_REDIS_URL: `redis://${url}`,
        TEST_AMQP_URL: `amqp://${url}`,
      });
      expect(services).toEqual({ postgres: undefined, redis: undefined, amqp: undefined });
      for (const reason of Object.values(refused))
        expect(reason).toMatch(`the one at ${url} does not let us in`);
      expect(Object.keys(refused).sort()).toEqual(['amqp', 'postgres', 'redis']);
    } finally {
      other.close();
    }
  });

  it('when nobody answers; then there is nothing to say of it', async () => {
    expect(await postgresAt('postgres://postgres@127.0.0.1:1/postgres')).toEqual({
      services: { postgres: undefined, redis: undefined, amqp: undefined },
      refused: {},
    });
  });
});
