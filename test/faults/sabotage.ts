import { spawnSync } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { type Sabotage, sabotages } from './sabotages.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const PARTS = [
  'src',
  'listener',
  'programs-client',
  'programs',
  'migrations',
  'test',
  'package.json',
  'tsconfig.json',
  'vitest.config.ts',
];

/**
 * `npm run sabotage`: breaks one thing after another in a copy of the code and runs the test that must notice. Ends with
 * 1 when a test passes in spite of it: then that test shows nothing. Arguments choose sabotages by a part of their name.
 */
async function main(): Promise<number> {
  const wanted = process.argv.slice(2);
  const chosen = sabotages.filter(
    ({ name }) => wanted.length === 0 || wanted.some((part) => name.includes(part)),
  );
  const missed: string[] = [];
  for (const sabotage of chosen) {
    const caught = await isCaught(sabotage);
    console.log(`${caught ? 'caught' : 'MISSED'}: ${sabotage.name} (${sabotage.test.name})`);
    if (!caught) missed.push(sabotage.name);
  }
  console.log(`${chosen.length - missed.length} caught, ${missed.length} missed`);
  return missed.length === 0 ? 0 : 1;
}

async function isCaught({ file, from, to, test, name }: Sabotage): Promise<boolean> {
  const folder = await mkdtemp(`${tmpdir()}/tessera-sabotage-`);
  try {
    for (const part of PARTS) await cp(`${root}/${part}`, `${folder}/${part}`, { recursive: true });
    await symlink(`${root}/node_modules`, `${folder}/node_modules`);
    if (!passes(folder, test)) throw new Error(`${test.file}: "${test.name}" does not pass to begin with`);
    const text = await readFile(`${folder}/${file}`, 'utf8');
    if (text.split(from).length !== 2) throw new Error(`${name}: ${file} does not hold "${from}" once`);
    await writeFile(
      `${folder}/${file}`,
      text.replace(from, () => to),
    );
    return !passes(folder, test);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function passes(folder: string, { file, name }: Sabotage['test']): boolean {
  const pattern = name.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const { stdout } = spawnSync('node', ['test/run.ts', file, '-t', pattern], {
    cwd: folder,
    encoding: 'utf8',
    env: process.env,
  });
  const [, passed = '0', failed = '1'] = /(\d+) passed, (\d+) failed\s*$/.exec(stdout) ?? [];
  return Number(passed) > 0 && Number(failed) === 0;
}

process.exit(await main());
