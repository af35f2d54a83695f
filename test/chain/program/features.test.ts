import { describe, expect, it } from 'vitest';
import { checkIn } from '../../../programs-client/instructions/check-in.ts';
import { closeTicket } from '../../../programs-client/instructions/close-ticket.ts';
import { reissue } from '../../../programs-client/instructions/reissue.ts';
import { resell } from '../../../programs-client/instructions/resell.ts';
import { revoke } from '../../../programs-client/instructions/revoke.ts';
import { transferTicket } from '../../../programs-client/instructions/transfer-ticket.ts';
import { ticketAddress } from '../../../programs-client/pdas.ts';
import { account, PROGRAM } from './support/chain.ts';
import { readTicket } from './support/read.ts';
import { sale } from './support/scenarios.ts';
import { byAcme, cancelAndClose } from './support/special-attacks.ts';
import { buildWorld, mint, must, newLand, people, SHOW } from './support/world.ts';

const { payer, acme, gate, alice, bob, carol } = people;

/** The curve25519 and get_sysvar syscalls, both active on mainnet. */
const NEEDED = [
  '7rcw5UtqgDTBBv2EcynNfYckgdAaH1MAsCjKgXMkN7Ri',
  'CLCoTADvV64PSrnR6QXty6Fwrt9Xc6EdxSJE4wLRePjq',
];

describe.each([
  ['two features and none of the other 285', { features: NEEDED }],
  ['all features that there are', {}],
])('on a runtime with %s', (_, options) => {
  it('a ticket lives from its minting to its closing', () => {
    const svm = buildWorld(newLand(options));
    const on = { ...sale, ...byAcme, event: SHOW };
    mint(svm, SHOW, 1, alice);
    must(svm, transferTicket(PROGRAM, { ...on, holder: alice.address, to: bob.address }), payer, alice);
    must(svm, resell(PROGRAM, { ...on, seller: bob.address, buyer: carol.address }), payer, bob, carol);
    must(svm, reissue(PROGRAM, { ...on, holder: carol.address, to: alice.address }), payer, acme);
    must(svm, checkIn(PROGRAM, { gateAuthority: gate.address, event: SHOW, index: 0 }), gate);
    must(svm, revoke(PROGRAM, { ...on, index: 1, holder: alice.address, reason: 'other' }), acme);
    expect(readTicket(svm, SHOW, 0)).toMatchObject({
      version: 5,
      status: 'checked_in',
      holder: alice.address,
    });
    cancelAndClose(svm, SHOW);
    for (const index of [0, 1]) {
      must(svm, closeTicket(PROGRAM, { ...on, index, holder: alice.address }), acme);
      expect(account(svm, ticketAddress(PROGRAM, SHOW, index))).toBeUndefined();
    }
  });
});
