import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const PROGRAM = join(import.meta.dirname, '../../../programs/ticketing');
const files = readdirSync(join(PROGRAM, 'src'), { recursive: true, encoding: 'utf8' }).filter((name) =>
  name.endsWith('.rs'),
);

/** Lines of code that match, as file and line, with the lines above them. */
function linesWith(pattern: RegExp): { file: string; line: string; above: string[] }[] {
  return files.flatMap((file) => {
    const lines = readFileSync(join(PROGRAM, 'src', file), 'utf8').split('\n');
    return lines.flatMap((line, at) =>
      pattern.test(line) && !/^\s*\/\//.test(line)
        ? [{ file, line: line.trim(), above: lines.slice(Math.max(0, at - 4), at) }]
        : [],
    );
  });
}

describe('the Rust source', () => {
  it('is built with overflow checks, so that what wraps stops the program', () => {
    const profile = readFileSync(join(PROGRAM, 'Cargo.toml'), 'utf8').split('[profile.release]')[1];
    expect(profile).toMatch(/^overflow-checks = true$/m);
    expect(profile).toMatch(/^panic = "abort"$/m);
  });

  it('goes without the check only where bounds are in the same function: products that the compiler has no check for', () => {
    const places = linesWith(/\b(wrapping|unchecked|overflowing)_(add|sub|mul|neg|shl|shr)/);
    expect(places.map(({ file, line }) => `${file}: ${line}`).sort()).toEqual([
      'pay.rs: Ok(amount.wrapping_mul(bps as u64) / 10_000)',
      'rent.rs: Ok((OVERHEAD + space as u64).wrapping_mul(per_byte).wrapping_mul(years))',
    ]);
    for (const { above } of places) expect(above.join('\n')).toContain('Err(Fault::MathOverflow)');
  });

  it('says of every unsafe block why it is sound', () => {
    const places = linesWith(/\bunsafe\b(?! trait)/);
    expect(places.length).toBeGreaterThan(10);
    for (const { file, line, above } of places) {
      expect(above.join('\n'), `${file}: ${line}`).toContain('// SAFETY:');
    }
  });

  it('never gives up by unwrapping', () => {
    expect(linesWith(/\.unwrap\(\)|\.expect\(|\b(panic|todo|unimplemented|unreachable)!/)).toEqual([]);
  });
});

describe('the modules of the Rust source', () => {
  const modules = new Map(
    [...new Set(files.map((file) => file.replace(/\.rs$/, '').split('/')[0] as string))].map((name) => {
      const source = files
        .filter((file) => file === `${name}.rs` || file.startsWith(`${name}/`))
        .map((file) => readFileSync(join(PROGRAM, 'src', file), 'utf8'))
        .join('\n');
      return [name, new Set(namesUnderCrate(source))] as const;
    }),
  );
  modules.delete('lib');

  it('are read as they stand: the one that dispatches and those that it needs', () => {
    expect([...(modules.get('system') ?? [])].sort()).toEqual(['call', 'faults', 'ids', 'rent', 'state']);
    expect(modules.get('instructions')?.has('system')).toBe(true);
  });

  it('need one another in one direction only', () => {
    const circles: string[] = [];
    const walk = (path: string[]) => {
      for (const next of modules.get(path.at(-1) as string) ?? []) {
        // Files of one folder may name the folder.
        if (path.length === 1 && next === path[0]) continue;
        if (next === path[0]) circles.push([...path, next].join(' → '));
        else if (!path.includes(next) && modules.has(next)) walk([...path, next]);
      }
    };
    for (const name of modules.keys()) walk([name]);
    expect(circles).toEqual([]);
  });
});

/** The modules that `crate::name` and `crate::{name, name::{…}}` stand for. */
function namesUnderCrate(source: string): string[] {
  const code = source.replaceAll(/^\s*\/\/.*$/gm, '').replaceAll(/macro_rules![\s\S]*?^}/gm, '');
  return [...code.matchAll(/crate::(?:(\w+)|\{)/g)].flatMap((match) => {
    if (match[1] !== undefined) return [match[1]];
    let depth = 1;
    let list = '';
    for (const letter of code.slice(match.index + match[0].length)) {
      if (letter === '}' && --depth === 0) break;
      if (depth === 1) list += letter;
      if (letter === '{') depth++;
    }
    return list.split(',').flatMap((item) => /^\s*(\w+)/.exec(item)?.[1] ?? []);
  });
}
