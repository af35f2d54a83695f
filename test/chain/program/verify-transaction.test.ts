import { createHash } from 'node:crypto';
import { PublicKey, TransactionMessage } from '@solana/web3.js';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { addressBytes, SYSTEM_PROGRAM } from '../../../programs-client/addresses.ts';
import { buildMintMessage } from '../../../programs-client/build-mint-message.ts';
import { decodeEntries } from '../../../programs-client/decode-entries.ts';
import { hasSmallOrder } from '../../../programs-client/is-on-curve.ts';
import { readBase64Transaction } from '../../../programs-client/read-base64-transaction.ts';
import { attachSignatures } from '../../../programs-client/send.ts';
import { verifyTransaction } from '../../../programs-client/verify-transaction.ts';
import { actor } from './support/actors.ts';
import { PROGRAM, sendMessage } from './support/chain.ts';
import { ACME, id16, mintOf, newWorld, people, SHOW } from './support/world.ts';

vi.setConfig({ testTimeout: 60_000 });

const { payer, acme, alice, mallory } = people;
const error = (kind: string) => expect.objectContaining({ name: 'UnreadableTransactionError', kind });
const base64 = (raw: Uint8Array) => [Buffer.from(raw).toString('base64'), 'base64'] as const;

/** A mint that a chain has run, and its bytes. */
function minted() {
  const svm = newWorld();
  const mint = { index: 5, ticketId: id16(5), holder: alice.address, faceValue: 5n, uri: '', attributes: {} };
  const built = buildMintMessage({
    programId: PROGRAM,
    payer: payer.address,
    authority: acme.address,
    organizer: ACME,
    event: SHOW,
    blockhash: svm.latestBlockhash(),
    mints: [{ ...mint, name: 'Rock Night', symbol: 'TSRA' }],
  });
  const message = built?.message ?? new Uint8Array();
  const signatures = Object.fromEntries([payer, acme].map((one) => [one.address, one.sign(message)]));
  const { transaction, error: refusal } = sendMessage(svm, message, [payer, acme]);
  if (refusal !== undefined) throw new Error(refusal);
  return { raw: attachSignatures(message, signatures), message, transaction };
}

const { raw, message, transaction } = minted();

/** The same instruction in a message of version 1, which web3.js reads and does not write. */
function ofVersion1(): { raw: Uint8Array; message: Uint8Array } {
  const plan = { payerKey: new PublicKey(payer.address), recentBlockhash: PROGRAM };
  const legacy = new TransactionMessage({
    ...plan,
    instructions: [mintOf(SHOW, 5, alice.address)],
  }).compileToLegacyMessage();
  const { header, accountKeys, compiledInstructions } = legacy;
  const counts = [
    header.numRequiredSignatures,
    header.numReadonlySignedAccounts,
    header.numReadonlyUnsignedAccounts,
  ];
  const heads = compiledInstructions.map(({ programIdIndex, accountKeyIndexes, data }) => [
    programIdIndex,
    accountKeyIndexes.length,
    data.length & 255,
    data.length >> 8,
  ]);
  const bytes = Buffer.concat([
    Buffer.from([0x81, ...counts, 0, 0, 0, 0]),
    addressBytes(PROGRAM),
    Buffer.from([compiledInstructions.length, accountKeys.length]),
    ...accountKeys.map((key) => key.toBytes()),
    Buffer.from(heads.flat()),
    ...compiledInstructions.flatMap(({ accountKeyIndexes, data }) => [Buffer.from(accountKeyIndexes), data]),
  ]);
  return { raw: Buffer.concat([bytes, payer.sign(bytes), acme.sign(bytes)]), message: bytes };
}

describe('a transaction in base64', () => {
  it('tells the entries that it tells as JSON', () => {
    const read = readBase64Transaction({ transaction: base64(raw), meta: transaction.meta });
    const entries = decodeEntries(PROGRAM, read);
    expect(entries).toMatchObject([{ kind: 'ticket_minted', complete: true, index: 5, to: alice.address }]);
    expect(entries).toEqual(decodeEntries(PROGRAM, transaction));
    expect(Buffer.from(read.raw)).toEqual(Buffer.from(raw));
  });

  it('names by index what it has loaded from tables', () => {
    // As if the last keys had come from a table: indices go on behind the message's own keys, first what is written to.
    const { accountKeys = [], instructions = [] } = transaction.transaction.message;
    const [writable, readonly] = [accountKeys.slice(-3, -2), accountKeys.slice(-2)];
    const stored = { accountKeys: accountKeys.slice(0, -3), instructions };
    const meta = { ...transaction.meta, err: null, loadedAddresses: { writable, readonly } };
    expect(decodeEntries(PROGRAM, { transaction: { message: stored }, meta })).toEqual(
      decodeEntries(PROGRAM, transaction),
    );
  });

  it('is read in version 1', () => {
    const read = readBase64Transaction({ transaction: base64(ofVersion1().raw), meta: { err: null } });
    expect(decodeEntries(PROGRAM, read)).toMatchObject([
      { kind: 'ticket_minted', complete: false, index: 5 },
    ]);
  });

  it.each<[string, readonly [string, string], string]>([
    ['another encoding', ['', 'base58'], 'malformed'],
    ['nothing', ['', 'base64'], 'malformed'],
    ['noise', base64(createHash('sha512').update('noise').digest()), 'malformed'],
    ['half of one', base64(raw.subarray(0, raw.length / 2)), 'malformed'],
    ['no signature', base64(Uint8Array.of(0, ...message)), 'malformed'],
    ['an unknown version', base64(Uint8Array.of(1, ...raw.subarray(1, 65), 0x85, ...message)), 'malformed'],
    ['megabytes', ['A'.repeat(5_000_000), 'base64'], 'too_large'],
  ])('is refused if it is %s', (_, given, kind) => {
    expect(() => readBase64Transaction({ transaction: given, meta: { err: null } })).toThrow(error(kind));
  });
});

describe('verifyTransaction', () => {
  it('gives signatures, signers and keys of what was signed', () => {
    const verified = verifyTransaction(raw);
    expect(verified).toMatchObject({ version: 'legacy', signers: [payer.address, acme.address] });
    const keys = transaction.transaction.message.accountKeys;
    expect(verified.staticKeys).toEqual(keys);
    expect(verified.signatures).toHaveLength(2);
  });

  it('reads version 1, whose signatures stand behind the message', () => {
    expect(verifyTransaction(ofVersion1().raw)).toMatchObject({
      version: 1,
      signers: [payer.address, acme.address],
    });
  });

  it.each(['legacy', 1] as const)(
    'refuses every transaction of version %s in which one bit is another',
    (version) => {
      const genuine = version === 1 ? ofVersion1().raw : raw;
      fc.assert(
        fc.property(fc.nat(genuine.length * 8 - 1), (bit) => {
          const tampered = Uint8Array.from(genuine);
          tampered[bit >> 3] = (tampered[bit >> 3] as number) ^ (1 << (bit & 7));
          expect(() => verifyTransaction(tampered)).toThrow(
            expect.objectContaining({ name: 'UnreadableTransactionError' }),
          );
        }),
        { numRuns: 300, seed: 31 },
      );
    },
  );

  it('refuses signatures of other keys, in another order, and of other messages', () => {
    const by = (one: Uint8Array, other: Uint8Array, of = message) =>
      Buffer.concat([Uint8Array.of(2), one, other, of]);
    const [first, second] = [payer.sign(message), acme.sign(message)];
    expect(verifyTransaction(by(first, second)).signers).toHaveLength(2);
    expect(() => verifyTransaction(by(first, mallory.sign(message)))).toThrow(error('forged'));
    expect(() => verifyTransaction(by(second, first))).toThrow(error('forged'));
    expect(() => verifyTransaction(by(first, acme.sign(Buffer.from('other'))))).toThrow(error('forged'));
    expect(() => verifyTransaction(by(first, new Uint8Array(64)))).toThrow(error('forged'));
  });

  it('refuses what is signed and yet no transaction to a cluster: bytes behind the message', () => {
    const longer = Buffer.concat([message, Uint8Array.of(0)]);
    const signed = Buffer.concat([Uint8Array.of(2), payer.sign(longer), acme.sign(longer), longer]);
    expect(() => verifyTransaction(signed)).toThrow(error('malformed'));
    expect(() => verifyTransaction(new Uint8Array(4097))).toThrow(error('too_large'));
  });

  it('refuses keys for which anybody can make a signature', () => {
    // With the neutral point as key, and as half of the signature, s = 0 fits every message; OpenSSL 3.0 takes it.
    const neutral = Uint8Array.from({ length: 32 }, (_, at) => (at === 0 ? 1 : 0));
    const plan = { payerKey: new PublicKey(neutral), recentBlockhash: PROGRAM, instructions: [] };
    const own = new TransactionMessage(plan).compileToLegacyMessage().serialize();
    const forged = Buffer.concat([Uint8Array.of(1), neutral, new Uint8Array(32), own]);
    expect(() => verifyTransaction(forged)).toThrow(error('forged'));
    expect(hasSmallOrder(addressBytes(SYSTEM_PROGRAM))).toBe(true);
    const order8 = 'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a';
    expect(hasSmallOrder(Buffer.from(order8, 'hex'))).toBe(true);
    for (let at = 0; at < 200; at++)
      expect(hasSmallOrder(addressBytes(actor(`key ${at}`).address))).toBe(false);
  });
});
