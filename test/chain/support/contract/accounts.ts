import bs58 from 'bs58';
import { beforeAll, describe, expect, it } from 'vitest';
import { accountDiscriminators } from '../../../../programs-client/accounts.ts';
import { LOCAL_PROGRAM } from '../../../../programs-client/addresses.ts';
import { initConfig } from '../../../../programs-client/instructions/init-config.ts';
import { registerOrganizer } from '../../../../programs-client/instructions/register-organizer.ts';
import { configAddress, organizerAddress } from '../../../../programs-client/pdas.ts';
import { actor } from '../../program/support/actors.ts';
import { reached, send, signed } from '../send-raw.ts';
import { BASE64, CONFIRMED, type ContractWorld, context, number, shown, text } from './contract-world.ts';

/** Accounts, alone, together and by their program. */
export function accountsContract({ alice, bob, rpc, run }: ContractWorld): void {
  describe('accounts', () => {
    const config = configAddress(LOCAL_PROGRAM);
    const tenantId = Uint8Array.from(Buffer.from(run.replaceAll('-', ''), 'hex'));
    const organizer = organizerAddress(LOCAL_PROGRAM, tenantId);

    beforeAll(async () => {
      const by = { payer: alice.address, admin: alice.address };
      const start = initConfig(LOCAL_PROGRAM, { ...by, treasury: bob.address, protocolFeeBps: 250 });
      const register = registerOrganizer(LOCAL_PROGRAM, {
        ...by,
        tenantId,
        authority: alice.address,
        feeRecipient: bob.address,
        resaleFeeBps: 0,
      });
      await reached(rpc, [await send(rpc, await signed(rpc, [start, register], [alice]))], 'confirmed');
    });

    it('are read alone and together, whole and in part, and are null where none is', async () => {
      const whole = await rpc.ask('getAccountInfo', config, BASE64);
      expect(whole).toEqual({
        context,
        value: expect.objectContaining({
          data: [text, 'base64'],
          executable: false,
          lamports: number,
          owner: LOCAL_PROGRAM,
          rentEpoch: number,
          space: number,
        }),
      });
      const data = Buffer.from(whole.value.data[0], 'base64');
      expect(data).toHaveLength(whole.value.space);
      const part = await rpc.ask('getAccountInfo', config, {
        ...BASE64,
        dataSlice: { offset: 2, length: 5 },
      });
      expect(part.value).toMatchObject({
        data: [data.subarray(2, 7).toString('base64'), 'base64'],
        space: data.length,
      });
      const nowhere = actor(`unheard ${run}`).address;
      const several = await rpc.ask('getMultipleAccounts', [config, nowhere], BASE64);
      expect(several).toEqual({ context, value: [whole.value, null] });
      expect(await rpc.ask('getAccountInfo', nowhere, BASE64)).toEqual({ context, value: null });
      expect(await rpc.ask('getBalance', nowhere, CONFIRMED)).toEqual({ context, value: 0 });
      expect((await rpc.ask('getAccountInfo', LOCAL_PROGRAM, BASE64)).value).toMatchObject({
        executable: true,
      });
    });

    it('of a program are chosen by size and by bytes', async () => {
      const kind = { memcmp: { offset: 0, bytes: bs58.encode(accountDiscriminators.organizer) } };
      const found = await rpc.ask('getProgramAccounts', LOCAL_PROGRAM, {
        ...BASE64,
        filters: [kind],
        dataSlice: { offset: 0, length: 0 },
      });
      expect(found).toEqual([
        {
          pubkey: organizer,
          account: expect.objectContaining({ data: ['', 'base64'], owner: LOCAL_PROGRAM, space: number }),
        },
      ]);
      const size = { dataSize: found[0].account.space };
      const inContext = await rpc.ask('getProgramAccounts', LOCAL_PROGRAM, {
        ...BASE64,
        withContext: true,
        filters: [kind, size],
      });
      expect(inContext).toEqual({ context, value: [expect.objectContaining({ pubkey: organizer })] });
      expect(
        await rpc.ask('getProgramAccounts', LOCAL_PROGRAM, { ...BASE64, filters: [kind, { dataSize: 1 }] }),
      ).toEqual([]);
    });

    it('come with what instructions called by others did', async () => {
      const [{ signature }] = await rpc.ask('getSignaturesForAddress', config, CONFIRMED);
      const { meta } = await shown(rpc, signature);
      expect(meta.innerInstructions).toEqual(
        expect.arrayContaining([
          {
            index: number,
            instructions: expect.arrayContaining([
              { accounts: expect.any(Array), data: text, programIdIndex: number, stackHeight: 2 },
            ]),
          },
        ]),
      );
    });
  });
}
