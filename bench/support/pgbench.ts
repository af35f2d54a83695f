import { execFile } from 'node:child_process';
import { existsSync, globSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

/** Where Debian and others keep it when it is not on the path. */
const ELSEWHERE = '/usr/lib/postgresql/*/bin/pgbench';

/** Transactions per second of `script` by `clients` that each wait for the answer. @throws Error without pgbench */
export async function runPgbench(
  url: string,
  options: { script: string; clients: number; seconds: number; variables?: Record<string, string> },
): Promise<number> {
  const { script, clients, seconds, variables = {} } = options;
  const folder = await mkdtemp(`${tmpdir()}/tessera-pgbench-`);
  const file = join(folder, 'script.sql');
  await writeFile(file, script);
  const defines = Object.entries(variables).flatMap(([name, value]) => ['-D', `${name}=${value}`]);
  const run = promisify(execFile)(findPgbench(), [
    ...[
      '-n',
      '-M',
      'prepared',
      '-c',
      String(clients),
      '-j',
      '1',
      '-T',
      String(Math.ceil(seconds)),
      '-f',
      file,
    ],
    ...[...defines, url],
  ]);
  try {
    const { stdout } = await run;
    const tps = /tps = ([\d.]+)/.exec(stdout)?.[1];
    if (/number of failed transactions: [1-9]/.test(stdout) || tps === undefined) throw new Error(stdout);
    return Number(tps);
  } finally {
    await rm(folder, { recursive: true });
  }
}

function findPgbench(): string {
  const path = (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, 'pgbench'));
  const found = [...path, ...globSync(ELSEWHERE)].find((file) => existsSync(file));
  if (!found)
    throw new Error(
      'This benchmark compares with pgbench, which is not here; Debian has it in postgresql-15.',
    );
  return found;
}
