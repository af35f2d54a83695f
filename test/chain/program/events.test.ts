import { describe, expect, it } from 'vitest';
import { accountSizes, decodeClosedEvent } from '../../../programs-client/accounts.ts';
import { TOKEN_2022_PROGRAM } from '../../../programs-client/addresses.ts';
import { OPEN_WINDOWS } from '../../../programs-client/event-rules.ts';
import { cancelEvent } from '../../../programs-client/instructions/cancel-event.ts';
import { closeEvent } from '../../../programs-client/instructions/close-event.ts';
import { updateEvent } from '../../../programs-client/instructions/update-event.ts';
import { account, PROGRAM } from './support/chain.ts';
import { COIN, putCoin } from './support/currency.ts';
import { lamportsOf, readEvent } from './support/read.ts';
import { byAcme, cancel } from './support/special-attacks.ts';
import { ACME, id16, makeEvent, must, NOW, newWorld, people, SHOW, setTime } from './support/world.ts';

const { acme, carol, gate, vault } = people;

describe('create_event', () => {
  it('writes what it is given, with SOL as the usual currency', () => {
    const svm = newWorld();
    const windows = { transferOpensAt: 1, transferClosesAt: 2, checkInOpensAt: 3, checkInClosesAt: 4 };
    const event = makeEvent(svm, 3, { windows, keepCollectible: true, transferPolicy: 'resale_only' });
    expect(readEvent(svm, event)).toEqual({
      organizer: ACME,
      eventId: id16(3),
      gateAuthority: gate.address,
      currencyMint: undefined,
      rentRecipient: vault.address,
      maxSupply: 100,
      resaleCapBps: 11_000,
      transferPolicy: 'resale_only',
      keepCollectible: true,
      windows,
      status: 'active',
    });
  });

  it('takes a currency of either token program', () => {
    const svm = newWorld();
    putCoin(svm);
    expect(readEvent(svm, makeEvent(svm, 3, { currencyMint: COIN })).currencyMint).toBe(COIN);
    putCoin(svm, vault.address, TOKEN_2022_PROGRAM);
    expect(readEvent(svm, makeEvent(svm, 4, { currencyMint: vault.address })).currencyMint).toBe(
      vault.address,
    );
  });
});

describe('update_event', () => {
  it('changes what it is given and leaves the rest', () => {
    const svm = newWorld();
    const before = readEvent(svm, SHOW);
    const windows = { ...OPEN_WINDOWS, checkInClosesAt: NOW };
    must(svm, updateEvent(PROGRAM, { ...byAcme, event: SHOW, windows }), acme);
    expect(readEvent(svm, SHOW)).toEqual({ ...before, windows });
    must(svm, updateEvent(PROGRAM, { ...byAcme, event: SHOW, gateAuthority: carol.address }), acme);
    must(svm, updateEvent(PROGRAM, { ...byAcme, event: SHOW, maxSupply: 4_000_000_000 }), acme);
    const changes = { windows, gateAuthority: carol.address, maxSupply: 4_000_000_000 };
    expect(readEvent(svm, SHOW)).toEqual({ ...before, ...changes });
  });

  it('loosens a policy: locked to anything, anything to open', () => {
    const svm = newWorld();
    const event = makeEvent(svm, 3, { transferPolicy: 'locked' });
    for (const transferPolicy of ['resale_only', 'open'] as const) {
      must(svm, updateEvent(PROGRAM, { ...byAcme, event, transferPolicy }), acme);
      expect(readEvent(svm, event).transferPolicy).toBe(transferPolicy);
    }
  });
});

describe('the end of an event', () => {
  it('can be a cancellation, which is for good', () => {
    const svm = newWorld();
    must(svm, cancelEvent(PROGRAM, { ...byAcme, event: SHOW }), acme);
    expect(readEvent(svm, SHOW).status).toBe('cancelled');
  });

  it('leaves a small account, and gives the rest of the rent back', () => {
    const svm = newWorld();
    const [atEvent, atVault] = [lamportsOf(svm, SHOW), lamportsOf(svm, vault.address)];
    cancel(svm, SHOW);
    must(svm, closeEvent(PROGRAM, { ...byAcme, event: SHOW, rentRecipient: vault.address }), acme);
    const left = account(svm, SHOW);
    expect(left?.data.length).toBe(accountSizes.closedEvent);
    expect(left?.lamports).toBe(svm.minimumBalanceForRentExemption(BigInt(accountSizes.closedEvent)));
    expect(lamportsOf(svm, vault.address) - atVault).toBe(atEvent - (left?.lamports ?? 0n));
    expect(decodeClosedEvent(left?.data ?? new Uint8Array())).toEqual({
      organizer: ACME,
      eventId: id16(1),
      rentRecipient: vault.address,
      keepCollectible: false,
      status: 'closed',
    });
  });

  it('comes a second after check-in has closed', () => {
    const svm = newWorld();
    const event = makeEvent(svm, 3, { windows: { ...OPEN_WINDOWS, checkInClosesAt: NOW } });
    setTime(svm, NOW + 1);
    must(svm, closeEvent(PROGRAM, { ...byAcme, event, rentRecipient: vault.address }), acme);
    expect(account(svm, event)?.data.length).toBe(accountSizes.closedEvent);
  });
});
