import { beforeAll, describe, expect, it } from 'vitest';
import { LOCAL_PROGRAM, TOKEN_2022_PROGRAM } from '../../../../programs-client/addresses.ts';
import { decodeEntries } from '../../../../programs-client/decode-entries.ts';
import { createEvent } from '../../../../programs-client/instructions/create-event.ts';
import { initConfig } from '../../../../programs-client/instructions/init-config.ts';
import { mintTicket } from '../../../../programs-client/instructions/mint-ticket.ts';
import { registerOrganizer } from '../../../../programs-client/instructions/register-organizer.ts';
import {
  configAddress,
  eventAddress,
  organizerAddress,
  ticketAddresses,
} from '../../../../programs-client/pdas.ts';
import type { Json } from '../raw-rpc.ts';
import { reached, send, signed } from '../send-raw.ts';
import { BASE64, CONFIRMED, type ContractWorld, context, number, shown, text } from './contract-world.ts';

/** Our program and the Token-2022 that it calls: a ticket is minted. */
export function tokensContract({ alice, bob, rpc, run }: ContractWorld): void {
  describe('a minted ticket', () => {
    const eventId = Uint8Array.from(Buffer.from(run.replaceAll('-', ''), 'hex')).toReversed();
    const organizer = organizerAddress(LOCAL_PROGRAM, eventId);
    const event = eventAddress(LOCAL_PROGRAM, organizer, eventId);
    const { mint, ticket } = ticketAddresses(LOCAL_PROGRAM, event, 0);
    let signature: string;

    beforeAll(async () => {
      const by = { payer: alice.address, admin: alice.address };
      const acts = { payer: alice.address, authority: alice.address, organizer };
      const land = async (...instructions: Parameters<typeof signed>[1]): Promise<string> => {
        const landed = await send(rpc, await signed(rpc, instructions, [alice]));
        await reached(rpc, [landed], 'confirmed');
        return landed;
      };
      const config = await rpc.ask('getAccountInfo', configAddress(LOCAL_PROGRAM), BASE64);
      if (config.value === null) {
        await land(initConfig(LOCAL_PROGRAM, { ...by, treasury: bob.address, protocolFeeBps: 250 }));
      }
      const signers = { authority: alice.address, feeRecipient: bob.address };
      await land(registerOrganizer(LOCAL_PROGRAM, { ...by, ...signers, tenantId: eventId, resaleFeeBps: 0 }));
      await land(
        createEvent(LOCAL_PROGRAM, {
          ...acts,
          eventId,
          gateAuthority: alice.address,
          rentRecipient: alice.address,
          maxSupply: 10,
          resaleCapBps: 10_000,
          transferPolicy: 'open',
          keepCollectible: false,
        }),
      );
      signature = await land(
        mintTicket(LOCAL_PROGRAM, {
          ...acts,
          event,
          index: 0,
          ticketId: eventId,
          holder: bob.address,
          faceValue: 1_000n,
          name: 'A ticket',
          symbol: 'TCK',
          uri: 'https://example.org/ticket.json',
          attributes: { seat: 'A-1' },
        }),
      );
    });

    it('is in the logs, the called instructions and the balances of its transaction', async () => {
      const told: Json = await shown(rpc, signature);
      expect(decodeEntries(LOCAL_PROGRAM, told)).toMatchObject([
        { kind: 'ticket_minted', complete: true, ticket, mint, to: bob.address, version: 1 },
      ]);
      expect(told.meta.preTokenBalances).toEqual([]);
      expect(told.meta.postTokenBalances).toEqual([
        {
          accountIndex: number,
          mint,
          owner: bob.address,
          programId: TOKEN_2022_PROGRAM,
          uiTokenAmount: { amount: '1', decimals: 0, uiAmount: 1, uiAmountString: '1' },
        },
      ]);
      const [called] = told.meta.innerInstructions;
      expect(called.instructions.length).toBeGreaterThan(5);
      expect(called.instructions).toContainEqual({
        accounts: expect.any(Array),
        data: text,
        programIdIndex: number,
        stackHeight: 2,
      });
    });

    it('has a supply of one', async () => {
      expect(await rpc.ask('getTokenSupply', mint, CONFIRMED)).toEqual({
        context,
        value: { amount: '1', decimals: 0, uiAmount: 1, uiAmountString: '1' },
      });
      expect(await rpc.refused('getTokenSupply', bob.address, CONFIRMED)).toMatchObject({ code: -32602 });
    });

    it('is found by its account', async () => {
      const list = await rpc.ask('getSignaturesForAddress', ticket, CONFIRMED);
      expect(list).toMatchObject([{ signature, err: null }]);
      expect((await rpc.ask('getAccountInfo', mint, BASE64)).value).toMatchObject({
        owner: TOKEN_2022_PROGRAM,
      });
    });
  });
}
