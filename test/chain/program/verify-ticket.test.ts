import { type Connection, PublicKey, type SimulatedTransactionResponse } from '@solana/web3.js';
import type { LiteSVM } from 'litesvm';
import { describe, expect, it, vi } from 'vitest';
import { type Address, addressBytes, TOKEN_PROGRAM } from '../../../programs-client/addresses.ts';
import { assertProgramAnswers } from '../../../programs-client/assert-program-answers.ts';
import { checkIn } from '../../../programs-client/instructions/check-in.ts';
import { closeTicket } from '../../../programs-client/instructions/close-ticket.ts';
import { transferTicket } from '../../../programs-client/instructions/transfer-ticket.ts';
import { mintAddress, ticketAddresses, tokenAddress } from '../../../programs-client/pdas.ts';
import { NotATicketError, verifyTicket } from '../../../programs-client/verify-ticket.ts';
import { actor } from './support/actors.ts';
import { TWIN } from './support/attacks.ts';
import { account, PROGRAM, putAccount } from './support/chain.ts';
import { sale } from './support/scenarios.ts';
import { byAcme, cancelAndClose, edit } from './support/special-attacks.ts';
import { ACME, id16, makeEvent, mint, must, newWorld, people, SHOW } from './support/world.ts';

vi.setConfig({ testTimeout: 60_000 });

const { acme, alice, bob, feePayer, gate, payer } = people;
const SLOT = 77;

/** As much of a Connection as verifyTicket uses; `meanwhile` runs before each read. */
function connectionTo(svm: LiteSVM, meanwhile: (read: number) => void = () => {}): Connection {
  let reads = 0;
  const getMultipleAccountsInfoAndContext = async (keys: PublicKey[]) => {
    meanwhile(++reads);
    const value = keys.map((key) => {
      const found = account(svm, key.toBase58() as Address);
      return found === undefined
        ? null
        : { ...found, owner: new PublicKey(found.owner), data: Buffer.from(found.data) };
    });
    return { context: { slot: SLOT }, value };
  };
  return { getMultipleAccountsInfoAndContext } as unknown as Connection;
}

const { ticket, mint: nft } = ticketAddresses(PROGRAM, SHOW, 0);
const held = tokenAddress(PROGRAM, ticket, alice.address);
const giveToBob = transferTicket(PROGRAM, { ...sale, event: SHOW, holder: alice.address, to: bob.address });

describe('verifyTicket', () => {
  it('says event, holder and status of a genuine ticket, and the slot it was read at', async () => {
    const svm = newWorld();
    expect(await verifyTicket(connectionTo(svm), nft)).toEqual({
      mint: nft,
      ticket,
      event: SHOW,
      organizer: ACME,
      index: 0,
      ticketId: id16(0),
      holder: alice.address,
      status: 'active',
      eventStatus: 'active',
      version: 1,
      checkedInAt: undefined,
      metadata: expect.objectContaining({ name: 'Rock Night 2027 #000123', updateAuthority: ticket }),
      slot: SLOT,
    });
    must(svm, checkIn(PROGRAM, { gateAuthority: gate.address, event: SHOW, index: 0 }), gate);
    expect(await verifyTicket(connectionTo(svm), nft)).toMatchObject({ status: 'checked_in', version: 2 });
  });

  it('reads again when the ticket changes hands between two reads', async () => {
    const svm = newWorld();
    const connection = connectionTo(svm, (read) => {
      if (read === 3) must(svm, giveToBob, payer, alice);
    });
    expect(await verifyTicket(connection, nft)).toMatchObject({ holder: bob.address, version: 2 });
  });

  const fakes: [string, Address, (svm: LiteSVM) => void, string][] = [
    ['an address where nothing is', actor('nothing').address, () => {}, 'no such mint'],
    ['an account that is no mint', held, () => {}, 'no Token-2022 mint'],
    ['a wallet', alice.address, () => {}, 'no Token-2022 mint'],
    [
      "the very bytes of a ticket's mint, owned by another token program",
      nft,
      (svm) => putAccount(svm, nft, { ...genuine(svm), owner: TOKEN_PROGRAM }),
      'no Token-2022 mint',
    ],
    [
      "an NFT that says it is a genuine ticket's",
      actor('a fake').address,
      (svm) => putAccount(svm, actor('a fake').address, genuine(svm)),
      'not made by the ticketing program',
    ],
    [
      'an NFT with the same texts and an address of its own in the metadata',
      actor('a fake').address,
      (svm) => {
        putAccount(svm, actor('a fake').address, genuine(svm));
        edit(svm, actor('a fake').address, (data) =>
          data.set(addressBytes(actor('a fake').address), METADATA + 32),
        );
      },
      'not made by the ticketing program',
    ],
    [
      'a ticket of another deployment of the same program',
      mintAddress(TWIN, ticket),
      (svm) => {
        const address = mintAddress(TWIN, ticket);
        putAccount(svm, address, genuine(svm));
        edit(svm, address, (data) => data.set(addressBytes(address), METADATA + 32));
      },
      'not made by the ticketing program',
    ],
    [
      'a mint that more can be minted of',
      nft,
      (svm) => edit(svm, nft, (data) => data.set([1], 0)),
      'exactly one',
    ],
    ['a mint with a supply of two', nft, (svm) => edit(svm, nft, (data) => data.set([2], 36)), 'exactly one'],
    ['a mint with decimals', nft, (svm) => edit(svm, nft, (data) => data.set([9], 44)), 'exactly one'],
    [
      'a ticket account of another program',
      nft,
      (svm) => putAccount(svm, ticket, { ...found(svm, ticket), owner: TWIN }),
      'belongs to another program',
    ],
    [
      'a ticket account of another index',
      nft,
      (svm) => edit(svm, ticket, (data) => data.set([9], 42)),
      'another mint',
    ],
    ['an empty token account', nft, (svm) => edit(svm, held, (data) => data.set([0], 64)), 'is not where'],
    [
      'a token account of somebody else',
      nft,
      (svm) => edit(svm, held, (data) => data.set(addressBytes(bob.address), 32)),
      'is not where',
    ],
    [
      'an event of another program',
      nft,
      (svm) => putAccount(svm, SHOW, { ...found(svm, SHOW), owner: TWIN }),
      'event',
    ],
    ['a revoked ticket', nft, (svm) => edit(svm, ticket, (data) => data.set([3], 135)), 'revoked'],
  ];

  it.each(fakes)('is not taken in by %s', async (_, address, prepare, reason) => {
    const svm = newWorld();
    prepare(svm);
    const verified = verifyTicket(connectionTo(svm), address);
    await expect(verified).rejects.toThrow(NotATicketError);
    await expect(verifyTicket(connectionTo(svm), address)).rejects.toThrow(reason);
  });

  it('calls a kept collectible what it is', async () => {
    const svm = newWorld();
    const event = makeEvent(svm, 3, { keepCollectible: true });
    mint(svm, event, 0, alice);
    cancelAndClose(svm, event);
    must(svm, closeTicket(PROGRAM, { ...sale, ...byAcme, event, holder: alice.address }), acme);
    const kept = verifyTicket(connectionTo(svm), ticketAddresses(PROGRAM, event, 0).mint);
    await expect(kept).rejects.toThrow('the NFT is a keepsake');
  });

  it('trusts the program that it is told to', async () => {
    const options = { programId: TWIN };
    await expect(verifyTicket(connectionTo(newWorld()), nft, options)).rejects.toThrow('not made by');
  });
});

/** Where the metadata's value begins in a ticket's mint: behind three other extensions. */
const METADATA = 166 + 36 + 36 + 68 + 4;

function found(svm: LiteSVM, address: Address) {
  const one = account(svm, address);
  if (one === undefined) throw new Error(`there is no account at ${address}`);
  return one;
}

const genuine = (svm: LiteSVM) => found(svm, nft);

describe('assertProgramAnswers', () => {
  const answering = (value: Partial<SimulatedTransactionResponse>) =>
    ({
      getLatestBlockhash: async () => ({ blockhash: PROGRAM }),
      simulateTransaction: async () => ({ context: { slot: 1 }, value }),
    }) as unknown as Connection;
  const refusal = { InstructionError: [0, { Custom: 6011 }] };
  const ran = [`Program ${PROGRAM} invoke [1]`, `Program ${PROGRAM} consumed 200 of 200000 compute units`];

  it('is content with the refusal that only this program gives', async () => {
    await assertProgramAnswers(answering({ err: refusal, logs: ran }), PROGRAM, feePayer.address);
  });

  it.each([
    ['success, as of a runtime that was given other bytes', { err: null, logs: ran }],
    ['another error', { err: { InstructionError: [0, { Custom: 6008 }] }, logs: ran }],
    ['an error of the runtime', { err: 'ProgramAccountNotFound', logs: [] }],
    ['the right error without a sign that the program ran', { err: refusal, logs: [] }],
  ])('throws on %s', async (_, value) => {
    const answers = assertProgramAnswers(answering(value), PROGRAM, feePayer.address);
    await expect(answers).rejects.toThrow(`does not answer at ${PROGRAM}`);
  });
});
