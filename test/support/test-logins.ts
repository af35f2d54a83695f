import { randomBytes } from 'node:crypto';
import pg from 'pg';

export type ServingRole = 'tessera_app' | 'tessera_relay' | 'tessera_listener';
const servingRoles: ServingRole[] = ['tessera_app', 'tessera_relay', 'tessera_listener'];

/** With what the tests log in as each role of production. */
export type Logins = Record<ServingRole, { user: string; password: string }>;

/**
 * Makes a login for each serving role: roles belong to the whole server, which may serve others, so nothing about those
 * of production is changed. Whoever logs in with it is at once that role and has no right besides; `drop` takes them away.
 */
export async function createLogins(server: string): Promise<{ logins: Logins; drop(): Promise<void> }> {
  const logins = {} as Logins;
  const run = randomBytes(4).toString('hex');
  await asSuperuser(server, async (client) => {
    for (const role of servingRoles) {
      const login = { user: `${role}_test_${run}`, password: randomBytes(12).toString('hex') };
      await client.query(`create role ${login.user} login password '${login.password}' in role ${role}`);
      await client.query(`alter role ${login.user} set role = '${role}'`);
      logins[role] = login;
    }
  });
  const drop = () =>
    asSuperuser(server, async (client) => {
      for (const { user } of Object.values(logins)) await client.query(`drop role ${user}`);
    });
  return { logins, drop };
}

/** The URL of `database` on `server`; without a login as the superuser that `server` names. */
export function databaseUrl(
  server: string,
  database: string,
  login?: { user: string; password: string },
): string {
  const url = new URL(server);
  url.pathname = `/${database}`;
  if (login) {
    url.username = login.user;
    url.password = login.password;
  }
  return url.href;
}

async function asSuperuser(server: string, work: (client: pg.Client) => Promise<void>): Promise<void> {
  const client = new pg.Client({ connectionString: server });
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}
