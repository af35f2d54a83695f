import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from '@hono/zod-openapi';
import { HTTPException } from 'hono/http-exception';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { describe, expect, it } from 'vitest';
import { scanReasons } from '../../src/domain/check-in/schema.ts';
import { DomainError, type ErrorKind } from '../../src/platform/errors.ts';
import { toProblem } from '../../src/platform/http/problem.ts';
import { refusals } from '../../src/platform/http/refusal.ts';
import { checkBody } from '../../src/platform/http/router.ts';
import { findCodes, findFailureCodes, type Sources } from './support/find-codes.ts';

const root = join(import.meta.dirname, '../..');
const document = readFileSync(join(root, 'docs/errors.md'), 'utf8');

function readFolder(folder: string, ending: string): Sources {
  const names = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' });
  return new Map(
    names
      .filter((name) => name.endsWith(ending))
      .map((name) => [`${folder}/${name}`, readFileSync(join(root, folder, name), 'utf8')]),
  );
}

/** The first two cells of each row that begins with a code, in the section of this title. */
function rowsOf(title: string): { code: string; second: string }[] {
  const section = document.split(/^## /m).find((text) => text.startsWith(`${title}\n`)) ?? '';
  return [...section.matchAll(/^\| `(\w+)` \| ([^|]+?) \|/gm)].map(([, code = '', second = '']) => ({
    code,
    second,
  }));
}

const codesOf = (title: string): string[] => rowsOf(title).map(({ code }) => code);

/** `code status, status` of everything that is answered with a problem: what we throw, and what the framework does. */
function answeredCodes(): string[] {
  const thrown = findCodes(readFolder('src', '.ts'));
  const kinds = new Set(thrown.map(({ kind }) => kind));
  const problems = thrown.map(({ kind, code }) => toProblem(new DomainError(kind as ErrorKind, code, '')));
  for (let status = 400; status <= 500; status++) {
    const problem = toProblem(new HTTPException(status as ContentfulStatusCode));
    // A status that we have a kind for is called by that kind; the framework refuses with none of those.
    if (!kinds.has(problem.code)) problems.push(problem);
  }
  const statuses = Map.groupBy(problems, ({ code }) => code);
  return [...statuses].map(([code, own]) => {
    const different = [...new Set(own.map(({ status }) => status))].toSorted();
    return `${code} ${code === 'refused' ? '4xx' : different.join(', ')}`;
  });
}

/** What a body is told that is not of this form. */
function faultsOf(form: z.ZodType, body: unknown): string[] {
  try {
    checkBody(form, body);
    return [];
  } catch (error) {
    return (error as DomainError).details.errors?.map(({ code }) => code) ?? [];
  }
}

describe('docs/errors.md', () => {
  it('names every code of a problem once, with its status, and no other', () => {
    const named = rowsOf('Codes').map(({ code, second }) => `${code} ${second}`);
    expect(named.length).toBeGreaterThan(70);
    expect(named.toSorted()).toEqual(answeredCodes().toSorted());
  });

  it('names every code of a field at fault', () => {
    // Whoever raises the version of the validator hears from the compiler of codes that are new or gone.
    const validator: Record<Exclude<z.core.$ZodIssueCode, 'custom' | 'unrecognized_keys'>, true> = {
      invalid_type: true,
      too_big: true,
      too_small: true,
      invalid_format: true,
      not_multiple_of: true,
      invalid_union: true,
      invalid_key: true,
      invalid_element: true,
      invalid_value: true,
    };
    const ours = [
      ...faultsOf(z.strictObject({}), { x: 1 }),
      ...faultsOf(
        z.string().refine(() => false),
        '',
      ),
    ];
    expect(ours).toHaveLength(2);
    expect(codesOf('Fields at fault').toSorted()).toEqual([...ours, ...Object.keys(validator)].toSorted());
  });

  it('names every reason of our own for which a payment fails', () => {
    const failures = findFailureCodes(readFolder('src/domain/payments', '.ts'));
    const late = [...readFolder('migrations', '.sql').values()].flatMap((sql) =>
      [...sql.matchAll(/'refund_due' then '(\w+)' else s\.failure_code/g)].map(([, code = '']) => code),
    );
    expect(late).not.toEqual([]);
    expect(codesOf('Why a payment failed').toSorted()).toEqual(
      [...new Set([...failures, ...late])].toSorted(),
    );
  });

  it('names every reason for which a token is refused', () => {
    expect(codesOf('Why a token was refused').toSorted()).toEqual(refusals.toSorted());
  });

  it('names every reason of a verdict', () => {
    expect(codesOf('Verdicts of a scan').toSorted()).toEqual(scanReasons.toSorted());
  });
});

describe('a code in the source is found', () => {
  it.each<[string, string, string[]]>([
    ['as it stands', `throw new DomainError('conflict', 'sold_out', 'None is left.')`, ['sold_out']],
    [
      'through a function that is given it',
      `throw refuse('a'); throw refuse('b');
       function refuse(code: string) { return new DomainError('conflict', code, '') }`,
      ['a', 'b'],
    ],
    [
      'within a longer one',
      `open({ service: 'chain' });
       function open({ service }: Options) { return { ask: () => { throw new DomainError('unavailable', \`\${service}_gone\`, '') } } }`,
      ['chain_gone'],
    ],
    [
      'as the case that throws it',
      `function refusal({ outcome }: Row) {
         const conflict = (message: string) => new DomainError('conflict', outcome, message);
         switch (outcome) {
           case 'a':
           case 'b':
             return conflict('No.');
           case 'c':
             return new DomainError('invalid', 'd', '');
         }
       }`,
      ['a', 'b', 'd'],
    ],
  ])('%s', (_how, text, codes) => {
    expect(findCodes(new Map([['sample.ts', text]])).map(({ code }) => code)).toEqual(codes);
  });

  it.each([
    ['is read from elsewhere', `throw new DomainError('conflict', row.code, '')`],
    ['is given by nobody', `function refuse(code: string) { return new DomainError('conflict', code, '') }`],
    ['comes with any kind', `throw new DomainError(kind, 'a', '')`],
  ])('or the search says that it cannot be: one that %s', (_what, text) => {
    expect(() => findCodes(new Map([['sample.ts', text]]))).toThrow('sample.ts: no code can be read from');
  });
});
