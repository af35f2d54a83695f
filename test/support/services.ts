import { createConnection } from 'node:net';
import { connect } from 'amqplib';
import { Redis } from 'ioredis';
import pg from 'pg';

/** The servers that the suites run against; undefined where there is none. */
export type Services = { postgres: string | undefined; redis: string | undefined; amqp: string | undefined };
type Name = keyof Services;

/** `refused` has a clause for each server that answers and cannot be used, such as "… wants a password". */
export type Found = { services: Services; refused: Partial<Record<Name, string>> };

/** Set by `test/run.ts`; a bare vitest finds the default ports by itself. */
export const serviceVariables = {
  postgres: 'TEST_POSTGRES_URL',
  redis: 'TEST_REDIS_URL',
  amqp: 'TEST_AMQP_URL',
} as const satisfies Record<Name, string>;

const defaults: Record<Name, string> = {
  postgres: 'postgres://postgres@127.0.0.1:5432/postgres',
  redis: 'redis://127.0.0.1:6379',
  amqp: 'amqp://guest:guest@127.0.0.1:5672',
};

/** What the user named, or else what answers on the default ports and lets us in; nothing with EMBEDDED=1. */
export async function findServices(env: Record<string, string | undefined>): Promise<Found> {
  const services: Services = { postgres: undefined, redis: undefined, amqp: undefined };
  const refused: Found['refused'] = {};
  if (env.EMBEDDED === '1') return { services, refused };
  const named: Services = {
    postgres: env.DATABASE_OWNER_URL ?? env.DATABASE_URL,
    redis: env.REDIS_URL,
    amqp: env.AMQP_URL,
  };
  const find = async (name: Name): Promise<void> => {
    const url = env[serviceVariables[name]] ?? named[name] ?? defaults[name];
    if (!(await answers(url))) return;
    const reason = await whyNot[name](url);
    if (reason === undefined) services[name] = url;
    else refused[name] = `the one at ${addressOf(url)} ${reason}`;
  };
  await Promise.all([find('postgres'), find('redis'), find('amqp')]);
  return { services, refused };
}

const TIMEOUT_MS = 3_000;
const OLDEST_POSTGRES = 15;

/** Why a server that answers is of no use; undefined when it is. */
const whyNot: Record<Name, (url: string) => Promise<string | undefined>> = {
  async postgres(url) {
    const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: TIMEOUT_MS });
    try {
      await client.connect();
      const { rows } = await client.query<{ version: number; rolsuper: boolean }>(
        `select current_setting('server_version_num')::integer / 10000 as version, rolsuper
         from pg_roles where rolname = current_user`,
      );
      const [found] = rows;
      if (!found?.rolsuper) return 'lets us in as no superuser';
      return found.version < OLDEST_POSTGRES ? `is PostgreSQL ${found.version}, which is too old` : undefined;
    } catch (error) {
      return refusalOf(error);
    } finally {
      await client.end().catch(() => undefined);
    }
  },
  async redis(url) {
    const client = new Redis(url, {
      lazyConnect: true,
      connectTimeout: TIMEOUT_MS,
      commandTimeout: TIMEOUT_MS,
      maxRetriesPerRequest: 0,
      retryStrategy: () => null,
    });
    client.on('error', () => undefined);
    try {
      await client.connect();
      await client.ping();
      return undefined;
    } catch (error) {
      return refusalOf(error);
    } finally {
      client.disconnect();
    }
  },
  async amqp(url) {
    try {
      const connection = await connect(url, { timeout: TIMEOUT_MS });
      await connection.close();
      return undefined;
    } catch (error) {
      return refusalOf(error);
    }
  },
};

/** How pg, PostgreSQL, Redis and RabbitMQ say that they do not know us. */
const WANTS_PASSWORD =
  /client password must be|password authentication failed|NOAUTH|WRONGPASS|ACCESS.REFUSED/i;

function refusalOf(error: unknown): string {
  const { message } = error as Error;
  return WANTS_PASSWORD.test(message) ? 'wants a password' : `does not let us in (${message})`;
}

const PORTS: Record<string, number> = {
  'postgres:': 5432,
  'postgresql:': 5432,
  'redis:': 6379,
  'amqp:': 5672,
};

function addressOf(url: string): string {
  const { hostname, port, protocol } = new URL(url);
  return `${hostname}:${Number(port) || (PORTS[protocol] ?? 0)}`;
}

/** Whether something accepts connections there. */
function answers(url: string): Promise<boolean> {
  const { hostname, port } = new URL(`tcp://${addressOf(url)}`);
  return new Promise((resolve) => {
    const socket = createConnection({ host: hostname, port: Number(port), timeout: 2_000 });
    const end = (up: boolean) => () => {
      socket.destroy();
      resolve(up);
    };
    socket.once('connect', end(true)).once('error', end(false)).once('timeout', end(false));
  });
}
