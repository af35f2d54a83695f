import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import pg from 'pg';
import { migrate } from '../platform/migrate.ts';
import { exitOnProblem } from '../process/exit.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const target = `${root}src/platform/schema.ts`;

/**
 * Writes src/platform/schema.ts from a fresh migration; with --check only compares. Uses the server of
 * DATABASE_OWNER_URL (default: postgres on 127.0.0.1:5432) and a database of its own.
 */
await exitOnProblem(async () => {
  const server = process.env.DATABASE_OWNER_URL ?? 'postgres://postgres@127.0.0.1:5432/postgres';
  const name = `tessera_schema_${process.pid}`;
  const admin = new pg.Client({ connectionString: server, connectionTimeoutMillis: 3_000 });
  await admin.connect();
  const folder = await mkdtemp(`${tmpdir()}/tessera-schema-`);
  try {
    await admin.query(`create database ${name}`);
    const url = Object.assign(new URL(server), { pathname: `/${name}` }).href;
    await migrate({ ownerUrl: url, folder: `${root}migrations` });
    const generated = await generate(url, `${folder}/schema.ts`);
    if (!process.argv.includes('--check')) {
      await promisify(execFile)('cp', [`${folder}/schema.ts`, target]);
      console.log(`wrote ${target}`);
    } else if (generated !== (await readFile(target, 'utf8'))) {
      throw new Error('src/platform/schema.ts does not match the migrations; run: npm run schema');
    } else console.log('src/platform/schema.ts matches the migrations');
  } finally {
    await admin.query(`drop database if exists ${name} with (force)`);
    await admin.end();
    await rm(folder, { recursive: true });
  }
});

async function generate(url: string, outFile: string): Promise<string> {
  const mapping = JSON.stringify({ int8: 'bigint', timestamptz: 'Date' });
  const options = [
    '--dialect=postgres',
    `--url=${url}`,
    `--out-file=${outFile}`,
    `--type-mapping=${mapping}`,
  ];
  await promisify(execFile)(`${root}node_modules/.bin/kysely-codegen`, [...options, '--log-level=error']);
  return readFile(outFile, 'utf8');
}
