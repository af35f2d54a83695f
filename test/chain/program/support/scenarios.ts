/** For every instruction, one invocation that succeeds, on a chain prepared for it. Attacks are variations of these. */
import type { TransactionInstruction } from '@solana/web3.js';
import type { LiteSVM } from 'litesvm';
import { acceptAdmin } from '../../../../programs-client/instructions/accept-admin.ts';
import { acceptOrganizerAuthority } from '../../../../programs-client/instructions/accept-organizer-authority.ts';
import { cancelEvent } from '../../../../programs-client/instructions/cancel-event.ts';
import { checkIn } from '../../../../programs-client/instructions/check-in.ts';
import { closeEvent } from '../../../../programs-client/instructions/close-event.ts';
import { closeTicket } from '../../../../programs-client/instructions/close-ticket.ts';
import { createEvent } from '../../../../programs-client/instructions/create-event.ts';
import { initConfig } from '../../../../programs-client/instructions/init-config.ts';
import { proposeAdmin } from '../../../../programs-client/instructions/propose-admin.ts';
import { proposeOrganizerAuthority } from '../../../../programs-client/instructions/propose-organizer-authority.ts';
import { registerOrganizer } from '../../../../programs-client/instructions/register-organizer.ts';
import { reissue } from '../../../../programs-client/instructions/reissue.ts';
import { resell } from '../../../../programs-client/instructions/resell.ts';
import { revoke } from '../../../../programs-client/instructions/revoke.ts';
import { setConfig } from '../../../../programs-client/instructions/set-config.ts';
import { transferTicket } from '../../../../programs-client/instructions/transfer-ticket.ts';
import { updateEvent } from '../../../../programs-client/instructions/update-event.ts';
import { updateOrganizer } from '../../../../programs-client/instructions/update-organizer.ts';
import type { Actor } from './actors.ts';
import { PROGRAM, setUpgradeAuthority } from './chain.ts';
import { COIN, giveCoins, putCoin } from './currency.ts';
import {
  ACME,
  FACE_VALUE,
  id16,
  makeEvent,
  mint,
  mintOf,
  must,
  newLand,
  newWorld,
  people,
  SHOW,
} from './world.ts';

export type Scenario = { svm: LiteSVM; instruction: TransactionInstruction; signers: Actor[] };

const { payer, admin, acme, gate, alice, bob, carol, treasury, royalties, vault } = people;
const byAcme = { authority: acme.address, organizer: ACME };
const returning = { payer: payer.address, organizer: ACME, rentRecipient: vault.address };

export const scenarios: { [instruction: string]: () => Scenario } = {
  init_config: () => {
    const svm = newLand();
    setUpgradeAuthority(svm, admin.address);
    const input = { payer: payer.address, admin: admin.address, treasury: treasury.address };
    return {
      svm,
      instruction: initConfig(PROGRAM, { ...input, protocolFeeBps: 250 }),
      signers: [payer, admin],
    };
  },
  set_config: () => ({
    svm: newWorld(),
    instruction: setConfig(PROGRAM, { admin: admin.address, treasury: carol.address, protocolFeeBps: 100 }),
    signers: [admin],
  }),
  propose_admin: () => ({
    svm: newWorld(),
    instruction: proposeAdmin(PROGRAM, { admin: admin.address, pendingAdmin: carol.address }),
    signers: [admin],
  }),
  accept_admin: () => {
    const svm = newWorld();
    must(svm, proposeAdmin(PROGRAM, { admin: admin.address, pendingAdmin: carol.address }), admin);
    return { svm, instruction: acceptAdmin(PROGRAM, { pendingAdmin: carol.address }), signers: [carol] };
  },
  register_organizer: () => ({
    svm: newWorld(),
    instruction: registerOrganizer(PROGRAM, {
      payer: payer.address,
      admin: admin.address,
      tenantId: id16(9),
      authority: carol.address,
      feeRecipient: royalties.address,
      resaleFeeBps: 500,
    }),
    signers: [payer, admin],
  }),
  update_organizer: () => ({
    svm: newWorld(),
    instruction: updateOrganizer(PROGRAM, { ...byAcme, feeRecipient: carol.address, resaleFeeBps: 700 }),
    signers: [acme],
  }),
  propose_organizer_authority: () => ({
    svm: newWorld(),
    instruction: proposeOrganizerAuthority(PROGRAM, { ...byAcme, pendingAuthority: carol.address }),
    signers: [acme],
  }),
  accept_organizer_authority: () => {
    const svm = newWorld();
    must(svm, proposeOrganizerAuthority(PROGRAM, { ...byAcme, pendingAuthority: carol.address }), acme);
    const input = { pendingAuthority: carol.address, organizer: ACME };
    return { svm, instruction: acceptOrganizerAuthority(PROGRAM, input), signers: [carol] };
  },
  create_event: () => {
    const svm = newWorld();
    putCoin(svm);
    const instruction = createEvent(PROGRAM, {
      ...byAcme,
      payer: payer.address,
      eventId: id16(7),
      gateAuthority: gate.address,
      rentRecipient: vault.address,
      maxSupply: 10,
      resaleCapBps: 10_000,
      transferPolicy: 'locked',
      keepCollectible: true,
      currencyMint: COIN,
    });
    return { svm, instruction, signers: [payer, acme] };
  },
  update_event: () => ({
    svm: newWorld(),
    instruction: updateEvent(PROGRAM, {
      ...byAcme,
      event: SHOW,
      gateAuthority: carol.address,
      maxSupply: 200,
    }),
    signers: [acme],
  }),
  cancel_event: () => ({
    svm: newWorld(),
    instruction: cancelEvent(PROGRAM, { ...byAcme, event: SHOW }),
    signers: [acme],
  }),
  close_event: () => {
    const svm = newWorld();
    must(svm, cancelEvent(PROGRAM, { ...byAcme, event: SHOW }), acme);
    const input = { ...byAcme, event: SHOW, rentRecipient: vault.address };
    return { svm, instruction: closeEvent(PROGRAM, input), signers: [acme] };
  },
  mint_ticket: () => ({
    svm: newWorld(),
    instruction: mintOf(SHOW, 5, bob.address),
    signers: [payer, acme],
  }),
  transfer_ticket: () => {
    const svm = newWorld();
    const event = approvedEvent(svm);
    const input = {
      ...returning,
      event,
      index: 0,
      holder: alice.address,
      to: bob.address,
      approver: acme.address,
    };
    return { svm, instruction: transferTicket(PROGRAM, input), signers: [payer, alice, acme] };
  },
  resell: () => {
    const svm = newWorld();
    putCoin(svm);
    const event = approvedEvent(svm, COIN);
    for (const { address } of [alice, bob, royalties, treasury]) giveCoins(svm, address, 10n * FACE_VALUE);
    const input = { ...sale, event, currency: { mint: COIN }, approver: acme.address };
    return { svm, instruction: resell(PROGRAM, input), signers: [payer, alice, bob, acme] };
  },
  check_in: () => ({
    svm: newWorld(),
    instruction: checkIn(PROGRAM, { gateAuthority: gate.address, event: SHOW, index: 0 }),
    signers: [gate],
  }),
  revoke: () => ({
    svm: newWorld(),
    instruction: revoke(PROGRAM, {
      ...byAcme,
      event: SHOW,
      index: 0,
      holder: alice.address,
      rentRecipient: vault.address,
      reason: 'refunded',
    }),
    signers: [acme],
  }),
  reissue: () => ({
    svm: newWorld(),
    instruction: reissue(PROGRAM, {
      ...returning,
      authority: acme.address,
      event: SHOW,
      index: 0,
      holder: alice.address,
      to: carol.address,
    }),
    signers: [payer, acme],
  }),
  close_ticket: () => {
    const svm = newWorld();
    must(svm, cancelEvent(PROGRAM, { ...byAcme, event: SHOW }), acme);
    must(svm, closeEvent(PROGRAM, { ...byAcme, event: SHOW, rentRecipient: vault.address }), acme);
    const input = { ...byAcme, event: SHOW, index: 0, holder: alice.address, rentRecipient: vault.address };
    return { svm, instruction: closeTicket(PROGRAM, input), signers: [acme] };
  },
};

/** Alice sells Bob ticket 0 at face value. */
export const sale = {
  ...returning,
  index: 0,
  seller: alice.address,
  buyer: bob.address,
  feeRecipient: royalties.address,
  treasury: treasury.address,
  price: FACE_VALUE,
};

/** An event whose organizer approves every transfer, with ticket 0 in Alice's hands. */
function approvedEvent(svm: LiteSVM, currencyMint?: typeof COIN) {
  const event = makeEvent(svm, 6, { transferPolicy: 'organizer_approved', currencyMint });
  mint(svm, event, 0, alice);
  return event;
}
