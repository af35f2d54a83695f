import { describe, expect, it, vi } from 'vitest';
import { decodeEntries } from '../../../programs-client/decode-entries.ts';
import { ticketAddresses } from '../../../programs-client/pdas.ts';
import { actor } from './support/actors.ts';
import { PROGRAM, send } from './support/chain.ts';
import { COIN } from './support/currency.ts';
import { scenarios } from './support/scenarios.ts';
import { transactionOf } from './support/special-attacks.ts';
import { ACME, FACE_VALUE, id16, mintOf, must, NOW, newWorld, people, SHOW } from './support/world.ts';

vi.setConfig({ testTimeout: 60_000 });

const { feePayer, payer, acme, admin, alice, bob, carol, royalties, treasury } = people;

const entriesOf = (name: string) => decodeEntries(PROGRAM, transactionOf(name));
const place = { instructionPath: '0', ordinal: 0 };
const stamp = { complete: true, unixTime: NOW };
const ofTicket = (index: number, event = SHOW) => ({
  event,
  ...ticketAddresses(PROGRAM, event, index),
  ...place,
});

describe('the entry of', () => {
  it('mint_ticket has the ticket, its first holder and what it cost', () => {
    expect(entriesOf('mint_ticket')).toEqual([
      {
        kind: 'ticket_minted',
        ...ofTicket(5),
        ...stamp,
        from: undefined,
        to: bob.address,
        organizer: ACME,
        index: 5,
        ticketId: id16(5),
        faceValue: FACE_VALUE,
        version: 1,
      },
    ]);
  });

  it('transfer_ticket has both holders', () => {
    const [entry] = entriesOf('transfer_ticket');
    const who = { from: alice.address, to: bob.address };
    expect(entry).toMatchObject({ kind: 'ticket_transferred', ...place, ...stamp, ...who, version: 2 });
  });

  it('resell has price, currency and who got how much', () => {
    const [entry] = entriesOf('resell');
    expect(entry).toMatchObject({
      kind: 'ticket_resold',
      ...place,
      ...stamp,
      from: alice.address,
      to: bob.address,
      price: FACE_VALUE,
      currencyMint: COIN,
      proceeds: (FACE_VALUE * 875n) / 1000n,
      royalty: FACE_VALUE / 10n,
      protocolFee: FACE_VALUE / 40n,
      version: 2,
    });
  });

  it('check_in has the holder, and the mint that the instruction does not name', () => {
    const who = { from: alice.address, to: alice.address };
    expect(entriesOf('check_in')).toEqual([
      { kind: 'ticket_checked_in', ...ofTicket(0), ...stamp, ...who, version: 2 },
    ]);
  });

  it('revoke has the last holder and the reason', () => {
    const what = { from: alice.address, to: undefined, reason: 'refunded' };
    expect(entriesOf('revoke')).toEqual([
      { kind: 'ticket_revoked', ...ofTicket(0), ...stamp, ...what, version: 2 },
    ]);
  });

  it('reissue has both holders', () => {
    const who = { from: alice.address, to: carol.address };
    expect(entriesOf('reissue')).toEqual([
      { kind: 'ticket_reissued', ...ofTicket(0), ...stamp, ...who, version: 2 },
    ]);
  });

  it('close_ticket says whether the NFT was kept', () => {
    const what = { from: alice.address, to: undefined, kept: false };
    expect(entriesOf('close_ticket')).toEqual([
      { kind: 'ticket_closed', ...ofTicket(0), ...stamp, ...what, version: 2 },
    ]);
  });

  it('what changes an event has all that can change', () => {
    expect(entriesOf('update_event')).toEqual([
      {
        kind: 'event_changed',
        ...place,
        ...stamp,
        event: SHOW,
        organizer: ACME,
        gateAuthority: carol.address,
        maxSupply: 200,
        transferPolicy: 'open',
        windows: { transferOpensAt: 0, transferClosesAt: 0, checkInOpensAt: 0, checkInClosesAt: 0 },
        status: 'active',
      },
    ]);
    expect(entriesOf('cancel_event')).toMatchObject([{ kind: 'event_changed', status: 'cancelled' }]);
    expect(entriesOf('close_event')).toEqual([
      { kind: 'event_closed', ...place, ...stamp, event: SHOW, organizer: ACME },
    ]);
  });

  it('what changes an organizer or the configuration has all of it', () => {
    expect(entriesOf('register_organizer')).toMatchObject([
      {
        kind: 'organizer_changed',
        tenantId: id16(9),
        authority: carol.address,
        feeRecipient: royalties.address,
      },
    ]);
    expect(entriesOf('propose_organizer_authority')).toMatchObject([
      {
        kind: 'organizer_changed',
        organizer: ACME,
        authority: acme.address,
        pendingAuthority: carol.address,
      },
    ]);
    expect(entriesOf('init_config')).toMatchObject([
      { kind: 'config_changed', admin: admin.address, pendingAdmin: undefined, treasury: treasury.address },
    ]);
    expect(entriesOf('accept_admin')).toMatchObject([{ kind: 'config_changed', admin: carol.address }]);
  });

  it.each(Object.keys(scenarios))('%s is one, and complete', (name) => {
    expect(entriesOf(name)).toMatchObject([{ complete: true, instructionPath: '0', ordinal: 0 }]);
  });
});

describe('decodeEntries', () => {
  it('gives the entries of a transaction in the order in which they came about', () => {
    const svm = newWorld();
    const two = [mintOf(SHOW, 5, alice.address), mintOf(SHOW, 6, bob.address)];
    const { transaction } = send(svm, two, [feePayer, payer, acme]);
    expect(decodeEntries(PROGRAM, transaction)).toMatchObject([
      { instructionPath: '0', to: alice.address, index: 5, version: 1 },
      { instructionPath: '1', to: bob.address, index: 6, version: 1 },
    ]);
  });

  it('gives none of a failed transaction, although its logs have an event', () => {
    const svm = newWorld();
    const good = mintOf(SHOW, 5, alice.address);
    must(svm, good, payer, acme);
    const { transaction, logs } = send(svm, [good], [feePayer, payer, acme]);
    expect(logs.some((line) => line.startsWith('Program data:'))).toBe(true);
    expect(decodeEntries(PROGRAM, transaction)).toEqual([]);
  });

  it('gives none where the outcome is not known', () => {
    expect(decodeEntries(PROGRAM, { ...transactionOf('check_in'), meta: null })).toEqual([]);
  });

  it('gives none for another program', () => {
    expect(decodeEntries(actor('another program').address, transactionOf('mint_ticket'))).toEqual([]);
  });
});
