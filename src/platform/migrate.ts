import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import pg from 'pg';
import { backoff, sleep } from './retry.ts';

/** One lock for everybody who migrates this database at the same time. */
const LOCK = 7_265_337;
const ATTEMPTS = 20;

/**
 * Applies the files of `folder` that the database has not seen, in the order of their names, each in a transaction.
 * Forward only: a file that changed after it was applied is an error. Then gives each role of `logins` the password
 * that its URL carries. Returns the names of what was applied.
 */
export async function migrate(options: {
  ownerUrl: string;
  folder: string;
  logins?: string[];
}): Promise<string[]> {
  const client = new pg.Client({ connectionString: options.ownerUrl, connectionTimeoutMillis: 5_000 });
  // A connection that breaks fails its query as well: an error that nobody listens to would end the process.
  client.on('error', () => undefined);
  await client.connect();
  try {
    await client.query('select pg_advisory_lock($1)', [LOCK]);
    const applied = await applyAll(client, options.folder);
    for (const url of options.logins ?? []) await setPassword(client, url);
    return applied;
  } finally {
    await client.end();
  }
}

async function applyAll(client: pg.Client, folder: string): Promise<string[]> {
  await client.query(`create table if not exists schema_migrations (
    name text primary key, checksum text not null, applied_at timestamptz not null default now())`);
  const { rows } = await client.query<{ name: string; checksum: string }>(
    'select name, checksum from schema_migrations',
  );
  const known = new Map(rows.map((row) => [row.name, row.checksum]));
  const applied: string[] = [];
  for (const name of (await readdir(folder)).filter((file) => file.endsWith('.sql')).sort()) {
    const text = await readFile(`${folder}/${name}`, 'utf8');
    const checksum = createHash('sha256').update(text).digest('hex');
    if (known.get(name) === checksum) continue;
    if (known.has(name))
      throw new Error(`migration ${name} was changed after it was applied; write a new one`);
    try {
      await client.query('begin');
      await client.query(text);
      await client.query('insert into schema_migrations (name, checksum) values ($1, $2)', [name, checksum]);
      await client.query('commit');
    } catch (error) {
      await client.query('rollback');
      throw new Error(`migration ${name} failed: ${(error as Error).message}`, { cause: error });
    }
    applied.push(name);
  }
  return applied;
}

async function setPassword(client: pg.Client, url: string): Promise<void> {
  const { username, password } = new URL(url);
  if (!password || !username.startsWith('tessera_')) return;
  const role = client.escapeIdentifier(decodeURIComponent(username));
  const change = `alter role ${role} password ${client.escapeLiteral(decodeURIComponent(password))}`;
  for (let attempt = 1; ; attempt++) {
    try {
      await client.query(change);
      return;
    } catch (error) {
      // Roles belong to the cluster: somebody who migrates another database of it changes the same one right now.
      const collided = (error as Error).message === 'tuple concurrently updated';
      if (!collided || attempt === ATTEMPTS) throw error;
      await sleep(backoff(attempt, 20, 500));
    }
  }
}
