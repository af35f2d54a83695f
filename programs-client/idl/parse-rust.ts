/**
 * Reads the declaration blocks of the Rust source (`instruction!`, `account!`, `record!`, `choices!`, `events!`,
 * `faults!`), the same ones that the program is compiled from. It knows their few forms, not Rust.
 */

export type Field = { docs: string[]; name: string; type: string };
export type Account = { docs: string[]; name: string; flags: string[]; address: string | undefined };
export type Instruction = { docs: string[]; name: string; accounts: Account[]; args: Field[] };
export type Struct = { docs: string[]; name: string; fields: Field[] };
export type Choice = {
  docs: string[];
  name: string;
  values: { name: string; number: number; docs: string[] }[];
};

const DOCS = String.raw`((?:[ \t]*\/\/\/[^\n]*\n)*)[ \t]*`;

export function parseInstructions(source: string): Instruction[] {
  return macroBodies(source, 'instruction').map((body) => {
    const { docs, name, inner } = named(body)[0] ?? fail(body);
    const accounts = named(inner).find((part) => part.name === 'accounts') ?? fail(body);
    const args = named(inner).find((part) => part.name === 'args') ?? fail(body);
    return { docs, name, accounts: parseAccounts(accounts.inner), args: parseFields(args.inner) };
  });
}

/** Structs of `account!` and `record!` (one per block) and of `events!` (many in one). */
export function parseStructs(source: string, macro: 'account' | 'record' | 'events'): Struct[] {
  return macroBodies(source, macro)
    .flatMap(named)
    .map(({ docs, name, inner }) => ({ docs, name, fields: parseFields(inner) }));
}

export function parseChoices(source: string): Choice[] {
  return macroBodies(source, 'choices')
    .flatMap(named)
    .map(({ docs, name, inner }) => ({ docs, name, values: parseNumbered(inner) }));
}

/** The faults, whose numbers are the error codes. */
export function parseFaults(source: string): Choice['values'] {
  return macroBodies(source, 'faults').flatMap(parseNumbered);
}

/** `pub static NAME: Address = address!("…")` of ids.rs, by name. */
export function parseAddresses(source: string): Map<string, string> {
  const found = source.matchAll(/pub static (\w+): Address = address!\("(\w+)"\);/g);
  return new Map([...found].map(([, name = '', address = '']) => [name, address]));
}

function parseAccounts(body: string): Account[] {
  const found = body.matchAll(new RegExp(`${DOCS}(\\w+): \\[([\\w ]*)\\](?: = (\\w+))?,`, 'g'));
  return [...found].map(([, docs = '', name = '', flags = '', address]) => ({
    docs: docLines(docs),
    name,
    flags: flags.split(' ').filter(Boolean),
    address,
  }));
}

function parseFields(body: string): Field[] {
  const found = body.matchAll(new RegExp(`${DOCS}(\\w+): ([^\\n]+),\\n`, 'g'));
  return [...found].map(([, docs = '', name = '', type = '']) => ({ docs: docLines(docs), name, type }));
}

function parseNumbered(body: string): Choice['values'] {
  const found = body.matchAll(new RegExp(`${DOCS}(\\w+) = (\\d+),`, 'g'));
  return [...found].map(([, docs = '', name = '', number = '']) => ({
    docs: docLines(docs),
    name,
    number: +number,
  }));
}

/** The bodies of `name! { … }` at the start of a line, without their definitions. */
function macroBodies(source: string, macro: string): string[] {
  const heads = [...source.matchAll(new RegExp(`^${macro}! \\{`, 'gm'))];
  return heads.map((head) => braced(source, head.index + head[0].length - 1));
}

/** The parts `name { … }` of a body, with the comments in front of them. */
function named(body: string): { docs: string[]; name: string; inner: string }[] {
  const parts = [];
  const head = new RegExp(`${DOCS}(\\w+) \\{`, 'y');
  const space = /\s*?(?=[ \t]*\S)/y;
  let at = 0;
  while (body.slice(at).trim() !== '') {
    space.lastIndex = at;
    space.exec(body);
    head.lastIndex = at + (/^\s*\n/.exec(body.slice(at))?.[0].length ?? 0);
    const match = head.exec(body) ?? fail(body.slice(at));
    const inner = braced(body, head.lastIndex - 1);
    parts.push({ docs: docLines(match[1] ?? ''), name: match[2] ?? '', inner });
    at = head.lastIndex + inner.length + 1;
  }
  return parts;
}

/** What stands between the brace at `open` and its partner. */
function braced(text: string, open: number): string {
  let depth = 0;
  for (let at = open; at < text.length; at++) {
    if (text[at] === '{') depth++;
    if (text[at] === '}' && --depth === 0) return text.slice(open + 1, at);
  }
  return fail(text.slice(open));
}

function docLines(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trim().replace(/^\/\/\/ ?/, ''))
    .filter((line) => line !== '');
}

function fail(text: string): never {
  throw new Error(`not a declaration that the IDL generator knows: ${text.slice(0, 200)}`);
}
