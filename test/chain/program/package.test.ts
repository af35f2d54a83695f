import { execFile } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { programErrors } from '../../../programs-client/program-errors.ts';
import { PROGRAM, PROGRAM_FILE } from './support/chain.ts';
import { measureRent } from './support/costs.ts';
import { startSurfpool } from './support/surfpool.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const root = join(import.meta.dirname, '../../..');
const client = join(root, 'programs-client');
const readme = readFileSync(join(client, 'README.md'), 'utf8');
const run = promisify(execFile);

/** Somebody else's project: the package as packed, what it depends on, and nothing of this repository. */
let project: string;
let packed: string[];

beforeAll(async () => {
  project = mkdtempSync(join(tmpdir(), 'tessera-client-'));
  const source = join(project, 'source/programs-client');
  cpSync(client, source, { recursive: true, filter: (from) => from !== join(client, 'dist') });
  symlinkSync(join(root, 'node_modules'), join(project, 'source/node_modules'));
  const { stdout } = await run(
    'npm',
    ['pack', '--ignore-scripts=false', '--json', '--silent', '--pack-destination', project],
    {
      cwd: source,
    },
  );
  const [pack] = JSON.parse(stdout.slice(stdout.indexOf('['))) as {
    filename: string;
    files: { path: string }[];
  }[];
  packed = pack?.files.map(({ path }) => path) ?? [];
  const installed = join(project, 'node_modules/@tessera/programs-client');
  mkdirSync(installed, { recursive: true });
  await run('tar', ['-xzf', join(project, pack?.filename ?? ''), '--strip-components=1', '-C', installed]);
  rmSync(join(project, 'source'), { recursive: true });
  const { dependencies } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
  for (const name of [...Object.keys(dependencies), '@types/node']) {
    const link = join(project, 'node_modules', name);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(join(root, 'node_modules', name), link);
  }
  writeFileSync(join(project, 'package.json'), '{ "type": "module" }');
  writeFileSync(join(project, 'readme.ts'), examples().join('\n'));
  writeFileSync(
    join(project, 'tsconfig.json'),
    JSON.stringify({ compilerOptions: STRICT, include: ['*.ts'] }),
  );
});

afterAll(() => rmSync(project, { recursive: true }));

const STRICT = {
  target: 'es2024',
  lib: ['es2024'],
  module: 'nodenext',
  types: ['node'],
  strict: true,
  exactOptionalPropertyTypes: true,
  verbatimModuleSyntax: true,
  skipLibCheck: true,
  noEmit: true,
};

const examples = () => [...readme.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code = '']) => code);

/** What the compiler says about the project, nothing if it is content. */
async function typeErrors(): Promise<string> {
  const compiler = join(root, 'node_modules/.bin/tsc');
  return run(compiler, ['--project', project]).then(
    () => '',
    ({ stdout }: { stdout: string }) => stdout,
  );
}

describe('the package as packed', () => {
  it('has JavaScript and types of every module, the IDL, and nothing else', () => {
    const modules = ['', 'instructions/'].flatMap((folder) =>
      readdirSync(join(client, folder))
        .filter((name) => name.endsWith('.ts'))
        .map((name) => `${folder}${name.replace('.ts', '')}`),
    );
    const built = modules.flatMap((name) => [`dist/${name}.d.ts`, `dist/${name}.js`]);
    const rest = ['README.md', 'package.json', 'dist/idl/ticketing.json'];
    expect(packed.toSorted()).toEqual([...built, ...rest].sort());
  });

  it('depends on the versions that the repository pins', () => {
    const pins = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    const { dependencies, devDependencies } = JSON.parse(readFileSync(join(client, 'package.json'), 'utf8'));
    expect(pins.dependencies).toMatchObject(dependencies);
    expect(pins.devDependencies).toMatchObject(devDependencies);
  });

  it('has types that take what is right, and refuse what is not', async () => {
    writeFileSync(
      join(project, 'types.ts'),
      [
        "import { type Address, toAddress } from '@tessera/programs-client/addresses';",
        "import { checkIn } from '@tessera/programs-client/instructions/check-in';",
        "import { decodeTicket } from '@tessera/programs-client/accounts';",
        "import idl from '@tessera/programs-client/idl/ticketing.json' with { type: 'json' };",
        "const address: Address = toAddress('11111111111111111111111111111111');",
        'export const value: bigint = decodeTicket(new Uint8Array()).faceValue;',
        'export const name: string = idl.metadata.name;',
        'checkIn(address, { gateAuthority: address, event: address, index: 0 });',
        '// @ts-expect-error a plain string is no address',
        "export const plain: Address = '11111111111111111111111111111111';",
        '// @ts-expect-error an amount is no number',
        'export const amount: number = decodeTicket(new Uint8Array()).faceValue;',
        '// @ts-expect-error the event is missing',
        'checkIn(address, { gateAuthority: address, index: 0 });',
      ].join('\n'),
    );
    expect(await typeErrors()).toBe('');
  });
});

describe("the README's examples", () => {
  it('compile, and walk a ticket from its minting to its check-in', async () => {
    expect(await typeErrors()).toBe('');
    const cluster = startSurfpool({ [PROGRAM]: PROGRAM_FILE });
    const env = { ...process.env, RPC_URL: cluster.connection.rpcEndpoint };
    const { stdout } = await run(process.execPath, ['readme.ts'], { cwd: project, env }).finally(() =>
      cluster.stop(),
    );
    expect(stdout.trim().split('\n')).toEqual([
      'ticket_minted 0',
      'ticket_minted 1',
      'sold at 55000000n of which 5500000n and 1375000n are fees',
      'given, version 3',
      'status checked_in',
      'in a coin: 2 instructions',
      'refused: AlreadyExists final',
      'genuine, checked_in true Rock Night 2027 #0',
      'not a ticket: the account is no Token-2022 mint with metadata',
    ]);
  });

  it('show accounts at their size and rent', () => {
    const rows = [...readme.matchAll(/^\| (\w+) \| (\d+) \| ([\d.]+) SOL \|$/gm)].map(
      ([, what, bytes, rent]) => ({
        what,
        bytes: Number(bytes),
        lamports: BigInt(Math.round(Number(rent) * 1e9)),
      }),
    );
    expect(rows).toEqual(measureRent().filter(({ what }) => !what.startsWith('mint')));
  });
});

describe('the docstring of an instruction', () => {
  const names = readdirSync(join(client, 'instructions'));
  const errors = new Set([...programErrors.values()].map(({ name }) => name));

  it.each(names)('says how it fails, with errors that there are: %s', (name) => {
    const source = readFileSync(join(client, 'instructions', name), 'utf8');
    const docs =
      /\/\*\*((?:(?!\*\/).)*)\*\/\nexport function/s.exec(source)?.[1]?.replace(/\s*\n \*\s*/g, ' ') ?? '';
    const named = [...docs.matchAll(/\b[A-Z][a-z]+(?:[A-Z][a-z]+)+\b|\bUnauthorized\b/g)].map(
      ([word]) => word,
    );
    expect(docs).toMatch(/Fails with [A-Z]\w+/);
    for (const word of named.filter((one) => one !== 'RangeError')) expect(errors).toContain(word);
    if (/\n {2}payer: Address/.test(source)) expect(source).toMatch(/Pays the rent of [^*]*\d+/);
  });
});
