import { PublicKey, TransactionInstruction, TransactionMessage, VersionedTransaction } from '@solana/web3.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toAddress } from '../../../programs-client/addresses.ts';
import { attachSignatures, compileMessage, requiredSigners } from '../../../programs-client/send.ts';
import { actor } from './support/actors.ts';
import { PROGRAM } from './support/chain.ts';
import { mintOf, people, SHOW } from './support/world.ts';

const { feePayer, payer, acme, alice, mallory } = people;
const blockhash = PROGRAM;
const mint = mintOf(SHOW, 0, alice.address);

const keys = Array.from({ length: 6 }, (_, at) => new PublicKey(actor(`key ${at}`).address));
const key = fc.record({ pubkey: fc.constantFrom(...keys), isSigner: fc.boolean(), isWritable: fc.boolean() });
const instruction = fc
  .record({
    programId: fc.constantFrom(...keys),
    keys: fc.array(key, { maxLength: 8 }),
    data: fc.uint8Array({ maxLength: 140 }),
  })
  .map(({ data, ...rest }) => new TransactionInstruction({ ...rest, data: Buffer.from(data) }));

describe('compileMessage', () => {
  it('compiles to the bytes that web3.js compiles to', () => {
    fc.assert(
      fc.property(
        fc.array(instruction, { maxLength: 4 }),
        fc.constantFrom(...keys),
        (instructions, payerKey) => {
          const message = new TransactionMessage({ payerKey, recentBlockhash: blockhash, instructions });
          const expected = { legacy: message.compileToLegacyMessage(), 0: message.compileToV0Message() };
          for (const version of ['legacy', 0] as const) {
            const compiled = compileMessage(instructions, toAddress(payerKey), blockhash, version);
            expect(Buffer.from(compiled)).toEqual(Buffer.from(expected[version].serialize()));
          }
        },
      ),
      { numRuns: 100, seed: 7 },
    );
  });
});

describe.each(['legacy', 0] as const)('a message of version %s', (version) => {
  const message = compileMessage([mint], feePayer.address, blockhash, version);

  it('names its signers, the fee payer first', () => {
    const signers = requiredSigners(message);
    expect(signers[0]).toBe(feePayer.address);
    expect(new Set(signers)).toEqual(new Set([feePayer.address, payer.address, acme.address]));
  });

  it('becomes a transaction with their signatures, wherever these were made', () => {
    const signatures = Object.fromEntries(
      [acme, payer, feePayer].map((one) => [one.address, one.sign(message)]),
    );
    const transaction = VersionedTransaction.deserialize(attachSignatures(message, signatures));
    expect(transaction.version).toBe(version);
    expect(transaction.message.recentBlockhash).toBe(blockhash);
    const expected = requiredSigners(message).map((one) => Uint8Array.from(signatures[one] ?? []));
    expect(transaction.signatures.map((one) => Uint8Array.from(one))).toEqual(expected);
  });

  it('is refused while a signature is missing or of the wrong length', () => {
    const some = { [acme.address]: acme.sign(message), [payer.address]: payer.sign(message) };
    expect(() => attachSignatures(message, some)).toThrow(`the signature of ${feePayer.address} is missing`);
    const short = { ...some, [feePayer.address]: new Uint8Array(63) };
    expect(() => attachSignatures(message, short)).toThrow('is missing');
    const wrong = { ...some, [mallory.address]: mallory.sign(message) };
    expect(() => attachSignatures(message, wrong)).toThrow('is missing');
  });

  it('is refused when no transaction can hold it', () => {
    const mints = (count: number) =>
      Array.from({ length: count }, (_, at) => mintOf(SHOW, at, alice.address));
    expect(() => compileMessage(mints(2), payer.address, blockhash, version)).not.toThrow();
    for (const count of [3, 12]) {
      expect(() => compileMessage(mints(count), payer.address, blockhash, version)).toThrow('do not fit');
    }
  });
});
