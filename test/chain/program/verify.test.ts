import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';

const PROGRAM = join(import.meta.dirname, '../../../programs/ticketing');
const sha256 = (file: string) => createHash('sha256').update(readFileSync(file)).digest('hex');

describe('programs/ticketing/sources.sha256', () => {
  const lines = readFileSync(join(PROGRAM, 'sources.sha256'), 'utf8').trim().split('\n');
  const recorded = Object.fromEntries(lines.map((line) => line.split(/\s+/).toReversed()));
  const sources = readdirSync(join(PROGRAM, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.rs'))
    .map((file) => `src/${file}`);
  const files = ['ticketing.so', 'Cargo.lock', 'Cargo.toml', 'build.sh', ...sources];

  it('names every file that the program is built from, and the program', () => {
    expect(Object.keys(recorded).sort()).toEqual(files.sort());
  });

  it.each(files)('has %s as it was built; after a change run npm run program:build', (file) => {
    expect(sha256(join(PROGRAM, file))).toBe(recorded[file]);
  });
});

describe.skipIf(process.platform !== 'linux')('program:verify', () => {
  const folders: string[] = [];
  afterAll(() => {
    for (const folder of folders) rmSync(folder, { recursive: true });
  });

  /** Runs it on a copy, where no toolchain is found: neither a linker nor cargo's build-sbf are in the system's folders. */
  function verify(change: (folder: string) => void, variables: Record<string, string> = {}) {
    const folder = mkdtempSync(join(tmpdir(), 'tessera-program-'));
    folders.push(folder);
    cpSync(PROGRAM, folder, { recursive: true, filter: (from) => from !== join(PROGRAM, 'target') });
    change(folder);
    const env = { PATH: '/usr/bin:/bin', HOME: folder, ...variables };
    const { status, stdout, stderr } = spawnSync('bash', [join(folder, 'verify.sh')], {
      env,
      encoding: 'utf8',
    });
    return { status, said: stdout + stderr };
  }

  it('says so where there is no toolchain, after comparing the sources', () => {
    const { status, said } = verify(() => {});
    expect(said).toContain('the sources are those that ticketing.so was built from');
    expect(said).toContain('SKIPPED the rebuild: no toolchain');
    expect(status).toBe(0);
  });

  it('fails there if a toolchain is required', () => {
    const { status, said } = verify(() => {}, { REQUIRE_TOOLCHAIN: '1' });
    expect(said).toContain('no toolchain for Solana programs is here, and one is required');
    expect(status).toBe(1);
  });

  it.each<[string, (folder: string) => void]>([
    ['a changed source', (folder) => appendFileSync(join(folder, 'src/pay.rs'), '// another\n')],
    ['a new source', (folder) => writeFileSync(join(folder, 'src/new.rs'), '')],
    ['a source that is gone', (folder) => rmSync(join(folder, 'src/rent.rs'))],
    ['other dependencies', (folder) => appendFileSync(join(folder, 'Cargo.lock'), '\n')],
    ['another program', (folder) => appendFileSync(join(folder, 'ticketing.so'), '\0')],
  ])('fails without a toolchain on %s that was not built', (_, change) => {
    const { status, said } = verify(change);
    expect(said).toContain("Run 'npm run program:build'");
    expect(status).toBe(1);
  });
});
