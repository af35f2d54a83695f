import { describe, expect, it } from 'vitest';
import { TOKEN_2022_PROGRAM } from '../../../programs-client/addresses.ts';
import { mintTicket, TEXT_LIMITS } from '../../../programs-client/instructions/mint-ticket.ts';
import { updateEvent } from '../../../programs-client/instructions/update-event.ts';
import { authAddress, ticketAddresses, tokenAddress } from '../../../programs-client/pdas.ts';
import { MAX_TRANSACTION_BYTES } from '../../../programs-client/send.ts';
import { actor } from './support/actors.ts';
import { account, PROGRAM, putAccount, send } from './support/chain.ts';
import { errorName } from './support/error-name.ts';
import { lamportsOf, readMint, readTicket, readToken } from './support/read.ts';
import { byAcme } from './support/special-attacks.ts';
import { initializeAccount, mintTo, rename } from './support/token-instructions.ts';
import { FACE_VALUE, id16, makeEvent, mintOf, must, newWorld, people, SHOW } from './support/world.ts';

const { feePayer, payer, acme, alice, bob, mallory } = people;

/** Of the token-metadata interface. */
const INCORRECT_UPDATE_AUTHORITY = 'code: 901952960';

describe('mint_ticket', () => {
  it('makes an NFT with name, symbol, uri and attributes that names its ticket', () => {
    const svm = newWorld();
    must(svm, mintOf(SHOW, 5, bob.address), payer, acme);
    const { ticket, mint } = ticketAddresses(PROGRAM, SHOW, 5);
    const auth = authAddress(PROGRAM, SHOW);
    expect(account(svm, mint)?.owner).toBe(TOKEN_2022_PROGRAM);
    expect(readMint(svm, SHOW, 5)).toEqual({
      supply: 1n,
      decimals: 0,
      mintAuthority: undefined,
      freezeAuthority: auth,
      metadata: {
        updateAuthority: ticket,
        mint,
        name: 'Rock Night 2027 #000123',
        symbol: 'TSRA',
        uri: 'https://tickets.example.com/nft/0123456789abcdef/metadata.json',
        attributes: [
          ['event', 'Rock Night 2027'],
          ['type', 'Standing'],
          ['seat', 'A-12'],
          ['number', '000123'],
        ],
      },
    });
  });

  it('puts the one token, frozen, into an account of the holder that only the event can close', () => {
    const svm = newWorld();
    must(svm, mintOf(SHOW, 5, bob.address), payer, acme);
    expect(readToken(svm, SHOW, 5, bob.address)).toEqual({
      mint: ticketAddresses(PROGRAM, SHOW, 5).mint,
      owner: bob.address,
      amount: 1n,
      frozen: true,
      closeAuthority: authAddress(PROGRAM, SHOW),
    });
  });

  it('writes the ticket, at version 1', () => {
    const svm = newWorld();
    must(svm, mintOf(SHOW, 5, bob.address), payer, acme);
    expect(readTicket(svm, SHOW, 5)).toEqual({
      event: SHOW,
      index: 5,
      ticketId: id16(5),
      mint: ticketAddresses(PROGRAM, SHOW, 5).mint,
      holder: bob.address,
      faceValue: FACE_VALUE,
      status: 'active',
      version: 1,
      checkedInAt: undefined,
      revokeReason: undefined,
    });
  });

  it('pays exactly the rent of the three accounts', () => {
    const svm = newWorld();
    const before = lamportsOf(svm, payer.address);
    must(svm, mintOf(SHOW, 5, bob.address), payer, acme);
    const { ticket, mint } = ticketAddresses(PROGRAM, SHOW, 5);
    const made = [ticket, mint, tokenAddress(PROGRAM, ticket, bob.address)].map((one) => account(svm, one));
    const rents = made.map((one) => svm.minimumBalanceForRentExemption(BigInt(one?.data.length ?? 0)));
    expect(made.map((one) => one?.lamports)).toEqual(rents);
    expect(before - lamportsOf(svm, payer.address)).toBe(rents.reduce((sum, rent) => sum + rent, 0n));
  });

  it('leaves empty attributes out, and takes texts of the greatest length', () => {
    const svm = newWorld();
    const longest = {
      name: 'n'.repeat(TEXT_LIMITS.name),
      symbol: 's'.repeat(TEXT_LIMITS.symbol),
      uri: 'u'.repeat(TEXT_LIMITS.uri),
    };
    const input = { ...byAcme, payer: payer.address, event: SHOW, ticketId: id16(6), holder: bob.address };
    const attributes = { type: 't'.repeat(TEXT_LIMITS.attribute), seat: '' };
    must(
      svm,
      mintTicket(PROGRAM, { ...input, ...longest, attributes, index: 6, faceValue: 0n }),
      payer,
      acme,
    );
    expect(readMint(svm, SHOW, 6)?.metadata).toMatchObject({
      ...longest,
      attributes: [['type', attributes.type]],
    });
    const none = { name: '', symbol: '', uri: '', attributes: {} };
    must(svm, mintTicket(PROGRAM, { ...input, ...none, index: 7, faceValue: 0n }), payer, acme);
    expect(readMint(svm, SHOW, 7)?.metadata).toMatchObject({ name: '', symbol: '', uri: '', attributes: [] });
  });

  it('keeps every text as it is in UTF-8', () => {
    const svm = newWorld();
    const input = {
      ...byAcme,
      payer: payer.address,
      event: SHOW,
      index: 8,
      ticketId: id16(8),
      holder: bob.address,
    };
    const texts = { name: 'Żółć 🎸 “日本”', symbol: '€', uri: 'https://例え.jp/ü' };
    must(
      svm,
      mintTicket(PROGRAM, { ...input, ...texts, attributes: { seat: 'Ряд 3' }, faceValue: 1n }),
      payer,
      acme,
    );
    expect(readMint(svm, SHOW, 8)?.metadata).toMatchObject({ ...texts, attributes: [['seat', 'Ряд 3']] });
  });

  it('takes the last index of the supply, and the next one when the supply has grown', () => {
    const svm = newWorld();
    const event = makeEvent(svm, 3, { maxSupply: 1 });
    must(svm, mintOf(event, 0, bob.address), payer, acme);
    const beyond = mintOf(event, 1, bob.address);
    expect(errorName(send(svm, [beyond], [feePayer, payer, acme]).error)).toBe('IndexOutOfRange');
    must(svm, updateEvent(PROGRAM, { ...byAcme, event, maxSupply: 2 }), acme);
    must(svm, beyond, payer, acme);
  });

  it('takes the highest index that there can be', () => {
    const svm = newWorld();
    const event = makeEvent(svm, 3, { maxSupply: 2 ** 32 - 1 });
    must(svm, mintOf(event, 2 ** 32 - 2, bob.address), payer, acme);
    expect(readTicket(svm, event, 2 ** 32 - 2).index).toBe(2 ** 32 - 2);
  });

  it('fits into a legacy transaction twice', () => {
    const svm = newWorld();
    const two = [mintOf(SHOW, 5, alice.address), mintOf(SHOW, 6, bob.address)];
    const { error, bytes, logs } = send(svm, two, [payer, acme]);
    expect(error).toBeUndefined();
    expect(bytes).toBeLessThanOrEqual(MAX_TRANSACTION_BYTES);
    expect(logs.filter((line) => line.startsWith('Program data: '))).toHaveLength(2);
    expect(logs.join('').length).toBeLessThan(10_000);
  });

  it('needs no write access to event, organizer or configuration, so that mints do not wait for each other', () => {
    const writable = mintOf(SHOW, 5, bob.address).keys.filter((key) => key.isWritable);
    const { ticket, mint } = ticketAddresses(PROGRAM, SHOW, 5);
    const own = [payer.address, ticket, mint, tokenAddress(PROGRAM, ticket, bob.address)];
    expect(writable.map(({ pubkey }) => pubkey.toBase58())).toEqual(own);
  });

  it('is the last mint there can be: nobody may mint more or rename the NFT', () => {
    const svm = newWorld();
    const { mint } = ticketAddresses(PROGRAM, SHOW, 0);
    const token = actor('a token account made by hand').address;
    putAccount(svm, token, { lamports: 10_000_000n, owner: TOKEN_2022_PROGRAM, data: new Uint8Array(165) });
    must(svm, initializeAccount(token, mint, bob.address));
    for (const who of [alice, acme, mallory]) {
      expect(errorName(send(svm, [mintTo(mint, token, who.address)], [feePayer, who]).error)).toBe(
        'custom error 5',
      );
      const renamed = send(svm, [rename(mint, who.address, 'free entry')], [feePayer, who]);
      expect(renamed.error).toContain(INCORRECT_UPDATE_AUTHORITY);
    }
    expect(readMint(svm, SHOW, 0)).toMatchObject({ supply: 1n, mintAuthority: undefined });
  });

  it('refuses texts that are too long before anything is sent', () => {
    const input = {
      ...byAcme,
      payer: payer.address,
      event: SHOW,
      index: 9,
      ticketId: id16(9),
      holder: bob.address,
    };
    const texts = { name: '', symbol: '', uri: '', attributes: {}, faceValue: 1n };
    expect(() => mintTicket(PROGRAM, { ...input, ...texts, name: 'é'.repeat(33) })).toThrow(
      'name has 66 bytes',
    );
    expect(() => mintTicket(PROGRAM, { ...input, ...texts, attributes: { number: 'x'.repeat(65) } })).toThrow(
      'attributes.number has 65 bytes',
    );
    expect(() => mintTicket(PROGRAM, { ...input, ...texts, faceValue: 2n ** 64n })).toThrow('face_value');
  });
});
