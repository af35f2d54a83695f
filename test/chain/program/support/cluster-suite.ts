/** What has to hold on every cluster, over JSON-RPC alone. */
import { PublicKey } from '@solana/web3.js';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { decodeTicket } from '../../../../programs-client/accounts.ts';
import { assertProgramAnswers } from '../../../../programs-client/assert-program-answers.ts';
import { decodeEntries } from '../../../../programs-client/decode-entries.ts';
import { cancelEvent } from '../../../../programs-client/instructions/cancel-event.ts';
import { checkIn } from '../../../../programs-client/instructions/check-in.ts';
import { closeEvent } from '../../../../programs-client/instructions/close-event.ts';
import { closeTicket } from '../../../../programs-client/instructions/close-ticket.ts';
import { createEvent } from '../../../../programs-client/instructions/create-event.ts';
import { initConfig } from '../../../../programs-client/instructions/init-config.ts';
import { registerOrganizer } from '../../../../programs-client/instructions/register-organizer.ts';
import { reissue } from '../../../../programs-client/instructions/reissue.ts';
import { resell } from '../../../../programs-client/instructions/resell.ts';
import { revoke } from '../../../../programs-client/instructions/revoke.ts';
import { transferTicket } from '../../../../programs-client/instructions/transfer-ticket.ts';
import { ticketAddresses } from '../../../../programs-client/pdas.ts';
import { decodeProgramError } from '../../../../programs-client/program-errors.ts';
import { readBase64Transaction } from '../../../../programs-client/read-base64-transaction.ts';
import { verifyTicket } from '../../../../programs-client/verify-ticket.ts';
import { verifyTransaction } from '../../../../programs-client/verify-transaction.ts';
import { PROGRAM } from './chain.ts';
import { sale } from './scenarios.ts';
import { byAcme } from './special-attacks.ts';
import type { Cluster } from './surfpool.ts';
import { base64Transaction, fund, land, landWithTable, rawTransaction } from './whole-path.ts';
import { ACME, id16, mintOf, people, SHOW } from './world.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 120_000 });

const { feePayer, payer, admin, acme, gate, alice, bob, carol, royalties, treasury, vault } = people;
const MINTED = 4;

export function clusterSuite(start: () => Promise<Cluster>): void {
  let cluster: Cluster;
  const on = { ...sale, ...byAcme, event: SHOW };
  const landed = (instructions: Parameters<typeof land>[1], ...signers: Parameters<typeof land>[2]) =>
    land(cluster.connection, instructions, [feePayer, ...signers]);
  const verify = (index: number) => {
    const { mint } = ticketAddresses(PROGRAM, SHOW, index);
    return verifyTicket(cluster.connection, mint, { commitment: 'confirmed', programId: PROGRAM });
  };

  beforeAll(async () => {
    cluster = await start();
    await fund(cluster.connection, [
      feePayer,
      payer,
      admin,
      acme,
      gate,
      alice,
      bob,
      carol,
      royalties,
      treasury,
      vault,
    ]);
    const config = {
      payer: payer.address,
      admin: admin.address,
      treasury: treasury.address,
      protocolFeeBps: 250,
    };
    await landed([initConfig(PROGRAM, config)], payer, admin);
    const organizer = { tenantId: id16(1), authority: acme.address, feeRecipient: royalties.address };
    const by = { payer: payer.address, admin: admin.address, resaleFeeBps: 1000 };
    await landed([registerOrganizer(PROGRAM, { ...organizer, ...by })], payer, admin);
    const event = createEvent(PROGRAM, {
      ...byAcme,
      payer: payer.address,
      eventId: id16(1),
      gateAuthority: gate.address,
      rentRecipient: vault.address,
      maxSupply: 100,
      resaleCapBps: 11_000,
      transferPolicy: 'open',
      keepCollectible: false,
    });
    await landed([event], payer, acme);
    for (let index = 0; index < MINTED; index += 2) {
      const two = [mintOf(SHOW, index, alice.address), mintOf(SHOW, index + 1, alice.address)];
      await landed(two, payer, acme);
    }
  }, 120_000);

  afterAll(() => cluster?.stop());

  it('answers as this program does', async () => {
    await assertProgramAnswers(cluster.connection, PROGRAM, feePayer.address);
  });

  it('tells the same entries in every encoding of a transaction', async () => {
    const give = transferTicket(PROGRAM, { ...on, index: 0, holder: alice.address, to: bob.address });
    const { signature, entries } = await landed([give], payer, alice);
    expect(entries).toMatchObject([
      { kind: 'ticket_transferred', complete: true, version: 2, to: bob.address },
    ]);
    for (const encoding of ['json', 'jsonParsed'] as const) {
      const raw = await rawTransaction(cluster.connection, signature, encoding);
      expect(decodeEntries(PROGRAM, raw)).toEqual(entries);
    }
    const signed = readBase64Transaction(await base64Transaction(cluster.connection, signature));
    expect(decodeEntries(PROGRAM, signed)).toEqual(entries);
    const { signatures, signers } = verifyTransaction(signed.raw);
    expect(signatures[0]).toBe(signature);
    expect(signers).toEqual([feePayer.address, payer.address, alice.address]);
    const options = { commitment: 'confirmed', maxSupportedTransactionVersion: 0 } as const;
    const parsed = await cluster.connection.getParsedTransaction(signature, options);
    expect(parsed && decodeEntries(PROGRAM, parsed)).toEqual(entries);
  });

  it('tells the entries of a transaction that loads its accounts from a table', async () => {
    const instruction = transferTicket(PROGRAM, {
      ...on,
      index: 0,
      holder: bob.address,
      to: alice.address,
    });
    const sent = await landWithTable(cluster.connection, instruction, [feePayer, payer, bob]);
    const entry = { kind: 'ticket_transferred', complete: true, version: 3, from: bob.address };
    expect(sent.entries).toMatchObject([{ ...entry, to: alice.address }]);
    const signed = readBase64Transaction(await base64Transaction(cluster.connection, sent.signature));
    expect(decodeEntries(PROGRAM, signed)).toEqual(sent.entries);
    const { version, staticKeys, signatures } = verifyTransaction(signed.raw);
    expect([version, signatures[0]]).toEqual([0, sent.signature]);
    expect(staticKeys).not.toContain(SHOW);
  });

  it('walks a ticket through resale, reissue and check-in, and verifies it on the way', async () => {
    const give = { ...on, index: 1 };
    await landed([resell(PROGRAM, { ...give, price: sale.price })], payer, alice, bob);
    expect(await verify(1)).toMatchObject({ holder: bob.address, status: 'active', version: 2, event: SHOW });
    const again = reissue(PROGRAM, { ...give, holder: bob.address, to: carol.address });
    await landed([again], payer, acme);
    await landed([checkIn(PROGRAM, { gateAuthority: gate.address, event: SHOW, index: 1 })], gate);
    const verified = await verify(1);
    expect(verified).toMatchObject({
      holder: carol.address,
      status: 'checked_in',
      version: 4,
      eventStatus: 'active',
    });
    expect(verified.metadata.attributes).toContainEqual(['seat', 'A-12']);
    expect(verified).toMatchObject({ organizer: ACME, index: 1, ticketId: id16(1) });
    expect(verified.slot).toBeGreaterThan(0);
  });

  it('refuses with an error that the client can name', async () => {
    const twice = landed([mintOf(SHOW, 0, bob.address)], payer, acme);
    const error = await twice.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(decodeProgramError(error)).toEqual({
      code: 6012,
      name: 'AlreadyExists',
      kind: 'final',
      instructionIndex: 0,
    });
  });

  it('verifies no ticket that was revoked or closed, and leaves its account to be read', async () => {
    const out = { ...on, index: 2, holder: alice.address };
    await landed([revoke(PROGRAM, { ...out, reason: 'fraud' })], acme);
    await expect(verify(2)).rejects.toThrow('no such mint');
    const { ticket } = ticketAddresses(PROGRAM, SHOW, 2);
    const [info] = await cluster.connection.getMultipleAccountsInfo([new PublicKey(ticket)]);
    expect(decodeTicket(info?.data ?? new Uint8Array())).toMatchObject({ status: 'revoked', version: 2 });
    await landed([cancelEvent(PROGRAM, on)], acme);
    expect(await verify(3)).toMatchObject({ eventStatus: 'cancelled', status: 'active' });
    await landed([closeEvent(PROGRAM, on)], acme);
    expect(await verify(3)).toMatchObject({ eventStatus: 'closed' });
    const { entries } = await landed([closeTicket(PROGRAM, { ...out, index: 3 })], acme);
    expect(entries).toMatchObject([{ kind: 'ticket_closed', kept: false, version: 2 }]);
    await expect(verify(3)).rejects.toThrow('no such mint');
  });

  describe('is not said to answer', () => {
    it('where no program is', async () => {
      const nowhere = assertProgramAnswers(cluster.connection, SHOW, feePayer.address);
      await expect(nowhere).rejects.toThrow('does not answer');
    });
  });
}
