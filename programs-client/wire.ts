/** Anchor's coder on the program's IDL, with bigint, Address and string enums in place of its BN, PublicKey and objects. */
import { BN, BorshCoder, type Idl } from '@coral-xyz/anchor';
import { PublicKey } from '@solana/web3.js';
import { toAddress } from './addresses.ts';
import idlJson from './idl/ticketing.json' with { type: 'json' };

/** A value as this package shows it. Integers of up to 32 bits are numbers, longer ones bigint; `null` is none. */
export type Value = bigint | number | string | boolean | Uint8Array | null | { [field: string]: Value };
export type Fields = { [field: string]: Value };

type Type = string | { option: Type } | { array: [string, number] } | { defined: { name: string } };
type Field = { name: string; type: Type };

export const IDL = idlJson as unknown as Idl;
const coder = new BorshCoder(IDL);
const BITS: Record<string, number> = { u8: 8, u16: 16, u32: 32, u64: 64, i64: 64 };

/** Instruction data: discriminator and arguments. Throws a `RangeError` on a number that does not fit its type. */
export function encodeInstruction(name: string, args: Fields): Buffer {
  const fields = (instructionNamed(name).args ?? []) as Field[];
  return coder.instruction.encode(name, toAnchor(fields, args));
}

/** The instruction and its arguments, or undefined if the data is no instruction of the program. */
export function decodeInstruction(data: Uint8Array): { name: string; args: Fields } | undefined {
  const decoded = attempt(() => coder.instruction.decode(Buffer.from(data)));
  if (decoded == null) return undefined;
  const fields = (instructionNamed(decoded.name).args ?? []) as Field[];
  return { name: decoded.name, args: fromAnchor(fields, decoded.data as Record<string, unknown>) };
}

/** An account's fields without its discriminator. Throws unless length, discriminator and layout are right. */
export function decodeAccount(name: string, data: Uint8Array): Fields {
  const size = accountSize(name);
  if (data.length !== size) throw new Error(`a ${name} account has ${size} bytes, not ${data.length}`);
  const decoded = coder.accounts.decode(name, Buffer.from(data)) as Record<string, unknown>;
  if (decoded.layout !== 1)
    throw new Error(`a ${name} account of layout ${decoded.layout} is not known here`);
  return fromAnchor(structFields(name), decoded);
}

/** Bytes of an account. */
export function accountSize(name: string): number {
  return coder.accounts.size(name);
}

export function accountDiscriminator(name: string): Uint8Array {
  return Uint8Array.from(IDL.accounts?.find((one) => one.name === name)?.discriminator ?? missing(name));
}

/** One "Program data:" payload, or undefined if it is no event of the program. */
export function decodeEventData(base64: string): { name: string; fields: Fields } | undefined {
  const decoded = attempt(() => coder.events.decode(base64));
  if (decoded == null) return undefined;
  return {
    name: decoded.name,
    fields: fromAnchor(structFields(decoded.name), decoded.data as Record<string, unknown>),
  };
}

export function instructionNamed(name: string): Idl['instructions'][number] {
  return IDL.instructions.find((one) => one.name === name) ?? missing(name);
}

function toAnchor(fields: Field[], values: Fields): Record<string, unknown> {
  return Object.fromEntries(fields.map(({ name, type }) => [name, encode(type, values[name] ?? null, name)]));
}

function encode(type: Type, value: Value, name: string): unknown {
  if (typeof type === 'object') {
    if ('option' in type) return value === null ? null : encode(type.option, value, name);
    if ('array' in type) return [...bytes(value, type.array[1], name)];
    const fields = enumOrFields(type.defined.name);
    if (typeof value === 'string') return { [variantNamed(value)]: {} };
    return toAnchor(fields, value as Fields);
  }
  if (type === 'pubkey') return new PublicKey(value as string);
  if (type in BITS) return integer(type, value, name);
  if (type === 'string' && typeof value === 'string') return value;
  if (type === 'bool' && typeof value === 'boolean') return value;
  throw new TypeError(`${name} should be a ${type}`);
}

function integer(type: string, value: Value, name: string): number | BN {
  const bits = BITS[type] ?? 0;
  const whole = typeof value === 'number' ? Number.isSafeInteger(value) : typeof value === 'bigint';
  const number = whole ? BigInt(value as number) : undefined;
  const [least, most] = type === 'i64' ? [-(2n ** 63n), 2n ** 63n - 1n] : [0n, 2n ** BigInt(bits) - 1n];
  if (number === undefined || number < least || number > most) {
    throw new RangeError(`${name} should be a ${type}, not ${String(value)}`);
  }
  return bits === 64 ? new BN(number.toString()) : Number(number);
}

function bytes(value: Value, length: number, name: string): Uint8Array {
  if (value instanceof Uint8Array && value.length === length) return value;
  throw new RangeError(`${name} should be ${length} bytes`);
}

function fromAnchor(fields: Field[], values: Record<string, unknown>): Fields {
  return Object.fromEntries(fields.map(({ name, type }) => [name, decode(type, values[name])]));
}

function decode(type: Type, value: unknown): Value {
  if (typeof type === 'object') {
    if ('option' in type) return value === null ? null : decode(type.option, value);
    if ('array' in type) return Uint8Array.from(value as number[]);
    const fields = enumOrFields(type.defined.name);
    if (fields.length > 0) return fromAnchor(fields, value as Record<string, unknown>);
    return snakeCase(Object.keys(value as object)[0] ?? '');
  }
  if (type === 'pubkey') return toAddress(value as PublicKey);
  if (value instanceof BN) return BigInt(String(value));
  return value as Value;
}

/** Fields of a struct; none for an enum, whose variants have none here. */
function enumOrFields(name: string): Field[] {
  const type = typeNamed(name);
  return type.kind === 'struct' ? ((type.fields ?? []) as Field[]) : [];
}

function structFields(name: string): Field[] {
  const type = typeNamed(name);
  return type.kind === 'struct' ? ((type.fields ?? []) as Field[]) : missing(name);
}

function typeNamed(name: string) {
  return IDL.types?.find((one) => one.name === name)?.type ?? missing(name);
}

/** checked_in for CheckedIn, and back. */
function snakeCase(variant: string): string {
  return variant.replace(/(?<!^)[A-Z]/g, (letter) => `_${letter}`).toLowerCase();
}

function variantNamed(value: string): string {
  return value.replace(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

function attempt<T>(decoding: () => T): T | undefined {
  try {
    return decoding();
  } catch {
    return undefined;
  }
}

function missing(name: string): never {
  throw new Error(`the IDL has no ${name}`);
}
