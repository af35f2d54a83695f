import { describe, expect, it } from 'vitest';
import { type Address, toAddress } from '../../programs-client/addresses.ts';
import type { TicketEntry } from '../../programs-client/entries.ts';
import { type Known, NeedsAccounts, noteKey, planBatch } from '../../src/domain/chain/sync/plan-batch.ts';
import type { Sighted } from '../../src/domain/chain/sync/seen-transaction.ts';
import type { TicketRow } from '../../src/domain/tickets/queries.ts';
import { newId, uuidBytes } from '../../src/platform/ids.ts';

const eventId = newId();
const addressOf = (n: number): Address => toAddress(new Uint8Array(32).fill(n));
const [EVENT, TICKET, MINT, ALICE, BOB, CAROL] = [1, 2, 3, 4, 5, 6].map(addressOf) as [
  ...[Address, Address, Address, Address, Address, Address],
];

function ticketRow(change: Partial<TicketRow> = {}): TicketRow {
  return {
    ...{ tenant_id: newId(), id: newId(), event_id: eventId, ticket_type_id: newId(), order_id: newId() },
    ...{ user_id: 'alice', ticket_number: '1', holder_name: 'Alice', seat: null, seat_id: null },
    ...{
      status: 'minting',
      status_reason: null,
      status_actor: 'x',
      status_signature: null,
      status_gate: null,
    },
    ...{
      price_minor: 1n,
      currency: 'EUR',
      version: 2,
      owner_epoch: 1,
      nft_mint: null,
      chain_account: TICKET,
    },
    ...{ chain_index: 0, chain_version: null, owner_wallet: null, owner_slot: null },
    ...{ blockchain_sync_status: 'pending', created_at: new Date(), updated_at: new Date() },
    ...change,
  };
}

const onChain = { status: 'active', chain_version: 1, owner_wallet: ALICE, nft_mint: MINT };

function known(ticket: TicketRow, change: Partial<Known> = {}): Known {
  return {
    tickets: new Map([[TICKET, ticket]]),
    noted: new Map(),
    events: new Map([[EVENT, { eventId }]]),
    accounts: new Map(),
    ...change,
  };
}

const at = { instructionPath: '1', ordinal: 0, event: EVENT, ticket: TICKET, mint: MINT };
let count = 0;

function see(entry: Partial<TicketEntry>, slot = 10): Sighted {
  const signature = `signature-${count++}`;
  const whole = { ...at, complete: true, unixTime: 1, ...entry } as TicketEntry;
  return { seen: { signature, slot, blockTime: null, entries: [whole] }, entry: whole };
}
const minted = (ticket: TicketRow, change = {}) =>
  see({
    ...{ kind: 'ticket_minted', from: undefined, to: ALICE, version: 1, index: 0 },
    ...{ ticketId: uuidBytes(ticket.id), faceValue: 1n, organizer: addressOf(9), ...change },
  } as Partial<TicketEntry>);
const transferred = (from: Address, to: Address, version: number, change = {}) =>
  see({ kind: 'ticket_transferred', from, to, version, ...change } as Partial<TicketEntry>);

const users = new Map([
  [ALICE, 'alice'],
  [BOB, 'bob'],
  [CAROL, 'carol'],
]);
const ownerOf = () => (wallet: string) => {
  const userId = users.get(wallet as Address) ?? wallet;
  return { userId, name: userId };
};

describe('a batch', () => {
  it('takes a ticket through all that happened to it, in order and with each step', () => {
    const ticket = ticketRow({ status: 'sold', version: 1 });
    const entries = [minted(ticket), transferred(ALICE, BOB, 2), transferred(BOB, CAROL, 3)];
    const plan = planBatch(entries, known(ticket), ownerOf);
    expect(plan.notes.map(({ outcome }) => outcome)).toEqual(['applied', 'applied', 'applied']);
    expect(plan.rows.map(({ status, version }) => [status, version])).toEqual([
      ['minting', 2],
      ['active', 3],
      ['transferred', 4],
      ['active', 5],
      ['transferred', 6],
      ['active', 7],
    ]);
    expect(plan.rows.at(-1)).toMatchObject({
      ...{ user_id: 'carol', owner_wallet: CAROL, owner_epoch: 3, chain_version: 3 },
      blockchain_sync_status: 'provisional',
    });
    expect(plan.messages.map(({ kind }) => kind)).toEqual([
      'ticket.minted',
      'ticket.transferred',
      'ticket.transferred',
    ]);
    expect(plan.moves.map(({ wallet, formerUser }) => [wallet, formerUser])).toEqual([
      [BOB, 'alice'],
      [CAROL, 'bob'],
    ]);
  });

  it('does nothing for what is noted already, and again what a fork had dropped', () => {
    const ticket = ticketRow(onChain);
    const entry = transferred(ALICE, BOB, 2);
    const noted = (commitment: string, slot = 10n) =>
      new Map([[noteKey(entry.seen.signature, '1', 0), { commitment, slot }]]);
    expect(planBatch([entry], known(ticket, { noted: noted('finalized') }), ownerOf).rows).toEqual([]);
    expect(planBatch([entry], known(ticket, { noted: noted('provisional') }), ownerOf).notes).toEqual([]);
    expect(planBatch([entry], known(ticket, { noted: noted('provisional', 9n) }), ownerOf)).toMatchObject({
      notes: [{ outcome: 'already_known' }],
      rows: [],
    });
    expect(planBatch([entry], known(ticket, { noted: noted('orphaned') }), ownerOf).rows).not.toEqual([]);
  });

  it('asks for the account where something is missing or cut, and takes the newer of both', () => {
    const ticket = ticketRow(onChain);
    const gap = transferred(BOB, CAROL, 3);
    expect(() => planBatch([gap], known(ticket), ownerOf)).toThrow(NeedsAccounts);
    const cut = transferred(ALICE, BOB, 2, { complete: false, version: undefined });
    expect(() => planBatch([cut], known(ticket), ownerOf)).toThrow(NeedsAccounts);
    const account = { event: EVENT, holder: CAROL, status: 'active', version: 3 } as never;
    const read = { accounts: new Map([[TICKET, { account, slot: 12 }]]) };
    expect(planBatch([cut, gap], known(ticket, read), ownerOf)).toMatchObject({
      notes: [{ outcome: 'applied' }, { outcome: 'already_known' }],
      rows: [{ status: 'transferred' }, { owner_wallet: CAROL, chain_version: 3, owner_slot: 12n }],
    });
    // A node that is behind: what was signed is newer.
    const old = { event: EVENT, holder: ALICE, status: 'active', version: 1 } as never;
    const behind = { accounts: new Map([[TICKET, { account: old, slot: 9 }]]) };
    expect(planBatch([gap], known(ticket, behind), ownerOf)).toMatchObject({
      notes: [{ outcome: 'corrected' }],
      rows: [{}, { owner_wallet: CAROL, chain_version: 3 }],
    });
    // The account is gone, and the logs said nothing.
    const gone = { accounts: new Map([[TICKET, null]]) };
    expect(planBatch([cut], known(ticket, gone), ownerOf)).toMatchObject({
      notes: [{ outcome: 'already_known' }],
      rows: [],
    });
  });

  it.each<[string, (ticket: TicketRow) => [Sighted, Partial<Known>]]>([
    ['a mint that carries another id', (ticket) => [minted(ticket, { ticketId: uuidBytes(newId()) }), {}]],
    [
      'an account under another event',
      (t) => [minted(t), { events: new Map([[EVENT, { eventId: newId() }]]) }],
    ],
    ['a ticket that nobody here has', (t) => [minted(t), { tickets: new Map() }]],
  ])('notes %s and does nothing', (_what, make) => {
    const ticket = ticketRow();
    const [entry, change] = make(ticket);
    expect(planBatch([entry], known(ticket, change), ownerOf)).toMatchObject({
      notes: [{ outcome: 'unknown_ticket', ticketId: null }],
      rows: [],
      messages: [],
    });
  });

  it('does not take an account of another event for the ticket’s', () => {
    const ticket = ticketRow(onChain);
    const account = { event: addressOf(8), holder: CAROL, status: 'active', version: 9 } as never;
    const accounts = new Map([[TICKET, { account, slot: 12 }]]);
    const plan = planBatch([transferred(BOB, CAROL, 3)], known(ticket, { accounts }), ownerOf);
    expect(plan.rows.at(-1)).toMatchObject({ chain_version: 3 });
  });

  it('tells the chain what the gate and the organiser decided before the mint was seen', () => {
    const scanned = ticketRow({ status: 'checked_in' });
    expect(planBatch([minted(scanned)], known(scanned), ownerOf).messages).toMatchObject([
      { kind: 'ticket.minted' },
      { kind: 'ticket.check_in' },
    ]);
    const refunded = ticketRow({ status: 'refunded', status_reason: 'refunded' });
    const plan = planBatch([minted(refunded)], known(refunded), ownerOf);
    expect(plan.messages).toMatchObject([{ kind: 'ticket.minted' }, { kind: 'ticket.revoke' }]);
    expect(plan.rows).toMatchObject([{ status: 'refunded', chain_version: 1 }]);
  });
});
