import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import {
  decodeClosedEvent,
  decodeConfig,
  decodeEvent,
  decodeOrganizer,
  decodeTicket,
} from '../../../programs-client/accounts.ts';
import { toAddress } from '../../../programs-client/addresses.ts';
import { configAddress, organizerAddress, ticketAddress } from '../../../programs-client/pdas.ts';
import { decodeEventData, decodeInstruction, encodeInstruction, IDL } from '../../../programs-client/wire.ts';
import { account, PROGRAM } from './support/chain.ts';
import { cancelAndClose } from './support/special-attacks.ts';
import { id16, newWorld, SHOW } from './support/world.ts';

vi.setConfig({ testTimeout: 60_000 });

type Type = string | { option: Type } | { array: [string, number] } | { defined: { name: string } };

/** Any value of an IDL type, as the client shows it. */
function anyOf(type: Type): fc.Arbitrary<unknown> {
  if (typeof type === 'object' && 'option' in type) return fc.option(anyOf(type.option));
  if (typeof type === 'object' && 'array' in type) return fc.uint8Array({ minLength: 16, maxLength: 16 });
  if (typeof type === 'object') return definedOf(type.defined.name);
  switch (type) {
    case 'bool':
      return fc.boolean();
    case 'string':
      return fc.string({ unit: 'binary', maxLength: 40 });
    case 'pubkey':
      return fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => toAddress(bytes));
    case 'u64':
      return fc.bigInt(0n, 2n ** 64n - 1n);
    case 'i64':
      return fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n);
    default:
      return fc.integer({ min: 0, max: 2 ** Number(type.slice(1)) - 1 });
  }
}

function definedOf(name: string): fc.Arbitrary<unknown> {
  const type = IDL.types?.find((one) => one.name === name)?.type;
  if (type?.kind === 'enum') {
    const snake = type.variants.map((one) =>
      one.name.replace(/(?<!^)[A-Z]/g, (letter) => `_${letter}`).toLowerCase(),
    );
    return fc.constantFrom(...snake);
  }
  return recordOf(type?.kind === 'struct' ? ((type.fields ?? []) as { name: string; type: Type }[]) : []);
}

function recordOf(fields: { name: string; type: Type }[]) {
  return fc.record(Object.fromEntries(fields.map(({ name, type }) => [name, anyOf(type)])));
}

describe('instruction data', () => {
  it.each(IDL.instructions.map(({ name }) => name))('of %s comes back as it went', (name) => {
    const { args } = IDL.instructions.find((one) => one.name === name) ?? { args: [] };
    fc.assert(
      fc.property(recordOf(args as { name: string; type: Type }[]), (values) => {
        const data = encodeInstruction(name, values as never);
        expect(decodeInstruction(data)).toEqual({ name, args: { ...values } });
      }),
      { numRuns: 25, seed: 5 },
    );
  });

  it('refuses numbers that do not fit', () => {
    const mint = { id: id16(0), name: '', symbol: '', uri: '' };
    const texts = { attribute_event: '', attribute_type: '', attribute_seat: '', attribute_number: '' };
    const encode = (index: number, face_value: bigint | number) =>
      encodeInstruction('mint_ticket', { ...mint, ...texts, index, face_value });
    expect(() => encode(2 ** 32, 0n)).toThrow(RangeError);
    expect(() => encode(-1, 0n)).toThrow(RangeError);
    expect(() => encode(1.5, 0n)).toThrow(RangeError);
    expect(() => encode(0, -1n)).toThrow(RangeError);
    expect(() => encode(0, 2n ** 64n)).toThrow(RangeError);
    expect(() => encode(0, 2 ** 53)).toThrow(RangeError);
    expect(() => encode(2 ** 32 - 1, 2n ** 64n - 1n)).not.toThrow();
  });

  it('is no instruction for bytes that are none', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        expect(decodeInstruction(bytes)).toBeUndefined();
        expect(decodeEventData(Buffer.from(bytes).toString('base64'))).toBeUndefined();
      }),
      { numRuns: 200, seed: 6 },
    );
    expect(decodeEventData('not base64!')).toBeUndefined();
  });
});

describe('account data', () => {
  const svm = newWorld();
  const closed = newWorld();
  cancelAndClose(closed, SHOW);
  const data = (address: string, chain = svm) => account(chain, address as never)?.data ?? new Uint8Array();
  const kinds: [string, Uint8Array, (bytes: Uint8Array) => unknown][] = [
    ['config', data(configAddress(PROGRAM)), decodeConfig],
    ['organizer', data(organizerAddress(PROGRAM, id16(1))), decodeOrganizer],
    ['event', data(SHOW), decodeEvent],
    ['closed event', data(SHOW, closed), decodeClosedEvent],
    ['ticket', data(ticketAddress(PROGRAM, SHOW, 0)), decodeTicket],
  ];

  it.each(kinds)(
    'of a %s is refused at another length, discriminator or layout, and as any other account',
    (_, bytes, decode) => {
      expect(() => decode(bytes)).not.toThrow();
      expect(() => decode(bytes.subarray(0, -1))).toThrow('bytes');
      expect(() => decode(Buffer.concat([bytes, Buffer.alloc(1)]))).toThrow('bytes');
      expect(() => decode(new Uint8Array())).toThrow('bytes');
      expect(() => decode(bytes.with(0, (bytes[0] ?? 0) ^ 1))).toThrow('discriminator');
      expect(() => decode(bytes.with(8, 2))).toThrow('layout 2');
      for (const [, , other] of kinds.filter(([, , one]) => one !== decode))
        expect(() => other(bytes)).toThrow();
    },
  );
});
