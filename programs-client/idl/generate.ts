/**
 * Writes `ticketing.json`, the program's IDL in Anchor's format, from the Rust source. Run it after a change to the
 * program (`node programs-client/idl/generate.ts`); a test fails while the committed file differs.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as parse from './parse-rust.ts';

const ROOT = join(import.meta.dirname, '../..');
const OUTPUT = join(import.meta.dirname, 'ticketing.json');

/** The text of the IDL file as the source tree at `root` demands it. */
export function generateIdl(root: string = ROOT): string {
  const source = join(root, 'programs/ticketing/src');
  const state = rustFiles(join(source, 'state'));
  const instructions = rustFiles(join(source, 'instructions')).flatMap(parse.parseInstructions);
  const events = parse.parseStructs(readFileSync(join(source, 'events.rs'), 'utf8'), 'events');
  const accounts = state.flatMap((text) => parse.parseStructs(text, 'account'));
  const records = state.flatMap((text) => parse.parseStructs(text, 'record'));
  const choices = state.flatMap(parse.parseChoices);
  const faults = parse.parseFaults(readFileSync(join(source, 'faults.rs'), 'utf8'));
  const addresses = parse.parseAddresses(readFileSync(join(source, 'ids.rs'), 'utf8'));
  const idl = {
    address: match(join(root, 'Anchor.toml'), /^ticketing = "(\w+)"/m),
    metadata: {
      name: 'ticketing',
      version: match(join(root, 'programs/ticketing/Cargo.toml'), /^version = "([\d.]+)"/m),
      spec: '0.1.0',
      description: match(join(root, 'programs/ticketing/Cargo.toml'), /^description = "(.+)"/m),
    },
    instructions: instructions.sort(byName).map((one) => instructionOf(one, addresses)),
    accounts: accounts
      .sort(byName)
      .map(({ name }) => ({ name, discriminator: discriminator('account', name) })),
    events: events.sort(byName).map(({ name }) => ({ name, discriminator: discriminator('event', name) })),
    errors: faults.map(({ number, name, docs }) => ({ code: number, name, msg: docs.join(' ') })),
    types: [
      ...accounts.map((one) => structOf({ ...one, fields: [...ACCOUNT_HEAD, ...one.fields] })),
      ...records.map(structOf),
      ...events.map(structOf),
      ...choices.map(enumOf),
    ].sort(byName),
  };
  return `${JSON.stringify(idl, null, 2)}\n`;
}

/** What `account!` puts behind the discriminator of every account. */
const ACCOUNT_HEAD: parse.Field[] = [
  { docs: ['Layout of the account, 1.'], name: 'layout', type: 'u8' },
  { docs: ['Bump of its address.'], name: 'bump', type: 'u8' },
];

function instructionOf(one: parse.Instruction, addresses: Map<string, string>) {
  return {
    name: one.name,
    docs: one.docs,
    discriminator: discriminator('global', one.name),
    accounts: one.accounts.map(({ name, docs, flags, address }) => ({
      name,
      ...(docs.length > 0 && { docs }),
      ...(flags.includes('writable') && { writable: true }),
      ...(flags.includes('signer') && { signer: true }),
      ...(flags.includes('optional') && { optional: true }),
      ...(address !== undefined && { address: addresses.get(address) ?? unknown(address) }),
    })),
    args: one.args.map(fieldOf),
  };
}

function structOf({ name, docs, fields }: parse.Struct) {
  return { name, ...(docs.length > 0 && { docs }), type: { kind: 'struct', fields: fields.map(fieldOf) } };
}

function enumOf({ name, docs, values }: parse.Choice) {
  if (values.some(({ number }, at) => number !== at))
    unknown(`${name}, whose numbers do not count up from 0`);
  return { name, docs, type: { kind: 'enum', variants: values.map((value) => ({ name: value.name })) } };
}

function fieldOf({ name, docs, type }: parse.Field) {
  return { name, ...(docs.length > 0 && { docs }), type: typeOf(type) };
}

type IdlType = string | { option: IdlType } | { array: [string, number] } | { defined: { name: string } };

function typeOf(rust: string): IdlType {
  const option = /^Option<(.+)>$/.exec(rust)?.[1];
  if (option !== undefined) return { option: typeOf(option) };
  if (/^Text<'a, \d+>$/.test(rust)) return 'string';
  if (rust === '[u8; 16]') return { array: ['u8', 16] };
  if (rust === 'Address') return 'pubkey';
  if (rust === 'Flag') return 'bool';
  if (/^(bool|u8|u16|u32|u64|i64)$/.test(rust)) return rust;
  if (/^[A-Z]\w+$/.test(rust)) return { defined: { name: rust } };
  return unknown(rust);
}

function discriminator(namespace: string, name: string): number[] {
  return [...createHash('sha256').update(`${namespace}:${name}`).digest().subarray(0, 8)];
}

function rustFiles(folder: string): string[] {
  const names = readdirSync(folder).filter((name) => name.endsWith('.rs') && name !== 'mod.rs');
  return names.sort().map((name) => readFileSync(join(folder, name), 'utf8'));
}

function match(file: string, pattern: RegExp): string {
  return pattern.exec(readFileSync(file, 'utf8'))?.[1] ?? unknown(`${pattern} in ${file}`);
}

function byName(a: { name: string }, b: { name: string }): number {
  return a.name < b.name ? -1 : 1;
}

function unknown(what: string): never {
  throw new Error(`the IDL generator does not know ${what}`);
}

if (import.meta.main) writeFileSync(OUTPUT, generateIdl());
