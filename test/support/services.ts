import { createConnection } from 'node:net';

/** The servers that the suites run against; undefined where there is none. */
export type Services = { postgres: string | undefined; redis: string | undefined; amqp: string | undefined };

/** Set by `test/run.ts`; a bare vitest finds the default ports by itself. */
export const serviceVariables = {
  postgres: 'TEST_POSTGRES_URL',
  redis: 'TEST_REDIS_URL',
  amqp: 'TEST_AMQP_URL',
} as const satisfies Record<keyof Services, string>;

const defaults: Record<keyof Services, string> = {
  postgres: 'postgres://postgres@127.0.0.1:5432/postgres',
  redis: 'redis://127.0.0.1:6379',
  amqp: 'amqp://guest:guest@127.0.0.1:5672',
};

/** What the user named, or else what answers on the default ports; nothing with EMBEDDED=1. */
export async function findServices(env: Record<string, string | undefined>): Promise<Services> {
  if (env.EMBEDDED === '1') return { postgres: undefined, redis: undefined, amqp: undefined };
  const named: Services = {
    postgres: env.DATABASE_OWNER_URL ?? env.DATABASE_URL,
    redis: env.REDIS_URL,
    amqp: env.AMQP_URL,
  };
  const find = async (name: keyof Services): Promise<string | undefined> => {
    const url = env[serviceVariables[name]] ?? named[name] ?? defaults[name];
    return (await answers(url)) ? url : undefined;
  };
  const [postgres, redis, amqp] = await Promise.all([find('postgres'), find('redis'), find('amqp')]);
  return { postgres, redis, amqp };
}

const PORTS: Record<string, number> = {
  'postgres:': 5432,
  'postgresql:': 5432,
  'redis:': 6379,
  'amqp:': 5672,
};

/** Whether something accepts connections there. */
export function answers(url: string): Promise<boolean> {
  const { hostname, port, protocol } = new URL(url);
  return new Promise((resolve) => {
    const socket = createConnection({
      host: hostname,
      port: Number(port) || (PORTS[protocol] ?? 0),
      timeout: 2_000,
    });
    const end = (up: boolean) => () => {
      socket.destroy();
      resolve(up);
    };
    socket.once('connect', end(true)).once('error', end(false)).once('timeout', end(false));
  });
}
