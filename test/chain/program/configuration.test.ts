import { describe, expect, it } from 'vitest';
import { NO_ADDRESS } from '../../../programs-client/addresses.ts';
import { acceptAdmin } from '../../../programs-client/instructions/accept-admin.ts';
import { acceptOrganizerAuthority } from '../../../programs-client/instructions/accept-organizer-authority.ts';
import { initConfig } from '../../../programs-client/instructions/init-config.ts';
import { proposeAdmin } from '../../../programs-client/instructions/propose-admin.ts';
import { proposeOrganizerAuthority } from '../../../programs-client/instructions/propose-organizer-authority.ts';
import { setConfig } from '../../../programs-client/instructions/set-config.ts';
import { updateOrganizer } from '../../../programs-client/instructions/update-organizer.ts';
import type { Actor } from './support/actors.ts';
import { PROGRAM, send, setUpgradeAuthority } from './support/chain.ts';
import { errorName } from './support/error-name.ts';
import { readConfig, readOrganizer } from './support/read.ts';
import { scenarioOf } from './support/special-attacks.ts';
import { stateOf } from './support/state-of.ts';
import { WHILE_PAUSED } from './support/status-attacks.ts';
import {
  ACME,
  id16,
  must,
  newLand,
  newWorld,
  PROTOCOL_FEE_BPS,
  people,
  ROYALTY_BPS,
} from './support/world.ts';

const { feePayer, payer, admin, acme, bob, carol, mallory, treasury, royalties } = people;

describe('init_config', () => {
  const init = (who = admin) =>
    initConfig(PROGRAM, {
      payer: payer.address,
      admin: who.address,
      treasury: treasury.address,
      protocolFeeBps: 1000,
    });

  it('makes the upgrade authority the admin', () => {
    const svm = newLand();
    setUpgradeAuthority(svm, admin.address);
    must(svm, init(), payer, admin);
    expect(readConfig(svm)).toEqual({
      admin: admin.address,
      pendingAdmin: undefined,
      treasury: treasury.address,
      protocolFeeBps: 1000,
      paused: false,
    });
  });

  it('refuses everybody else while there is an upgrade authority', () => {
    const svm = newLand();
    setUpgradeAuthority(svm, admin.address);
    const { error } = send(svm, [init(mallory)], [feePayer, payer, mallory]);
    expect(errorName(error)).toBe('Unauthorized');
  });

  it('takes who comes first where nobody can upgrade the program', () => {
    for (const nobody of [undefined, NO_ADDRESS]) {
      const svm = newLand();
      setUpgradeAuthority(svm, nobody);
      must(svm, init(carol), payer, carol);
      expect(readConfig(svm).admin).toBe(carol.address);
    }
  });

  it('takes who comes first under the loader that knows no upgrades', () => {
    const svm = newLand({ loader: 'BPFLoader2111111111111111111111111111111111' });
    must(svm, init(carol), payer, carol);
    expect(readConfig(svm).admin).toBe(carol.address);
  });
});

describe('set_config', () => {
  it('changes what it is given and leaves the rest', () => {
    const svm = newWorld();
    const before = readConfig(svm);
    must(svm, setConfig(PROGRAM, { admin: admin.address, protocolFeeBps: 7 }), admin);
    expect(readConfig(svm)).toEqual({ ...before, protocolFeeBps: 7 });
    must(svm, setConfig(PROGRAM, { admin: admin.address, treasury: bob.address, paused: true }), admin);
    expect(readConfig(svm)).toEqual({ ...before, protocolFeeBps: 7, treasury: bob.address, paused: true });
    must(svm, setConfig(PROGRAM, { admin: admin.address, paused: false }), admin);
    expect(readConfig(svm).paused).toBe(false);
    expect(before.protocolFeeBps).toBe(PROTOCOL_FEE_BPS);
  });
});

describe('a change of admin', () => {
  const propose = (pendingAdmin?: typeof carol.address) =>
    proposeAdmin(PROGRAM, { admin: admin.address, pendingAdmin });

  it('takes a proposal and its acceptance', () => {
    const svm = newWorld();
    must(svm, propose(carol.address), admin);
    expect(readConfig(svm)).toMatchObject({ admin: admin.address, pendingAdmin: carol.address });
    must(svm, acceptAdmin(PROGRAM, { pendingAdmin: carol.address }), carol);
    expect(readConfig(svm)).toMatchObject({ admin: carol.address, pendingAdmin: undefined });
    const { error } = send(svm, [propose(bob.address)], [feePayer, admin]);
    expect(errorName(error)).toBe('Unauthorized');
  });

  it('can be withdrawn before it is accepted', () => {
    const svm = newWorld();
    must(svm, propose(carol.address), admin);
    must(svm, propose(), admin);
    const { error } = send(svm, [acceptAdmin(PROGRAM, { pendingAdmin: carol.address })], [feePayer, carol]);
    expect(errorName(error)).toBe('Unauthorized');
  });
});

describe('an empty proposal', () => {
  /** Whoever could sign for the address of all zeros, which stands for nobody. */
  const nobody: Actor = { ...mallory, name: 'nobody', address: NO_ADDRESS, sign: () => new Uint8Array(64) };

  it.each([
    ['admin', acceptAdmin(PROGRAM, { pendingAdmin: NO_ADDRESS })],
    [
      "organizer's authority",
      acceptOrganizerAuthority(PROGRAM, { pendingAuthority: NO_ADDRESS, organizer: ACME }),
    ],
  ])('is accepted by nobody, even if nobody could sign: %s', (_, accepting) => {
    const svm = newWorld();
    svm.withSigverify(false);
    const before = stateOf(svm);
    expect(errorName(send(svm, [accepting], [feePayer, nobody]).error)).toBe('Unauthorized');
    expect(stateOf(svm)).toEqual(before);
  });
});

describe('an organizer', () => {
  it('is registered as the admin says', () => {
    expect(readOrganizer(newWorld(), ACME)).toEqual({
      tenantId: id16(1),
      authority: acme.address,
      pendingAuthority: undefined,
      feeRecipient: royalties.address,
      resaleFeeBps: ROYALTY_BPS,
    });
  });

  it('changes its royalty and who gets it', () => {
    const svm = newWorld();
    const byAcme = { authority: acme.address, organizer: ACME };
    must(svm, updateOrganizer(PROGRAM, { ...byAcme, resaleFeeBps: 5000 }), acme);
    must(svm, updateOrganizer(PROGRAM, { ...byAcme, feeRecipient: bob.address }), acme);
    expect(readOrganizer(svm, ACME)).toMatchObject({ feeRecipient: bob.address, resaleFeeBps: 5000 });
  });

  it('changes its authority in two steps', () => {
    const svm = newWorld();
    const input = { authority: acme.address, organizer: ACME, pendingAuthority: carol.address };
    must(svm, proposeOrganizerAuthority(PROGRAM, input), acme);
    expect(readOrganizer(svm, ACME)).toMatchObject({
      authority: acme.address,
      pendingAuthority: carol.address,
    });
    must(svm, acceptOrganizerAuthority(PROGRAM, { pendingAuthority: carol.address, organizer: ACME }), carol);
    expect(readOrganizer(svm, ACME)).toMatchObject({ authority: carol.address, pendingAuthority: undefined });
    const { error } = send(svm, [proposeOrganizerAuthority(PROGRAM, input)], [feePayer, acme]);
    expect(errorName(error)).toBe('Unauthorized');
  });
});

describe('a pause', () => {
  it.each(WHILE_PAUSED.filter((name) => name !== 'init_config'))('does not stop %s', (name) => {
    const { svm, instruction, signers } = scenarioOf(name);
    must(svm, setConfig(PROGRAM, { admin: admin.address, paused: true }), admin);
    must(svm, instruction, ...signers);
  });
});
