import { describe, expect, it } from 'vitest';
import { SYSTEM_PROGRAM } from '../../../../programs-client/addresses.ts';
import { pay, reached, SOL, send, signed } from '../send-raw.ts';
import {
  BASE64,
  CONFIRMED,
  type ContractWorld,
  number,
  shown,
  text,
  UNKNOWN_HASH,
} from './contract-world.ts';

/** Transactions of a kind of their own, broken ones, and those that are only tried. */
export function trialsContract({ agave, alice, bob, rpc }: ContractWorld): void {
  describe('a transaction', () => {
    it('of version 0 is kept from who cannot read it', async () => {
      const transaction = await signed(rpc, [pay(alice, bob, 16)], [alice], { version: 0 });
      const signature = await send(rpc, transaction);
      await reached(rpc, [signature], 'confirmed');
      await shown(rpc, signature);
      expect(await shown(rpc, signature)).toMatchObject({
        version: 0,
        transaction: { message: { addressTableLookups: [] } },
      });
      // The embedded runtime shows it to everybody.
      if (!agave) return;
      const refusal = await rpc.refused('getTransaction', signature, CONFIRMED);
      expect(refusal.code).toBe(-32015);
      expect(refusal.message).toContain('Transaction version (0) is not supported by the requesting client');
    });

    it('that is no transaction is refused', async () => {
      for (const broken of ['AAAA', '!!', Buffer.alloc(1_300).toString('base64')]) {
        expect(await rpc.refused('sendTransaction', broken, { encoding: 'base64' })).toMatchObject({
          code: -32602,
        });
      }
    });

    it('is tried without being sent', async () => {
      const transaction = await signed(rpc, [pay(alice, bob, 17)], [alice]);
      const trial = await rpc.ask('simulateTransaction', transaction, {
        ...BASE64,
        sigVerify: true,
        accounts: { encoding: 'base64', addresses: [alice.address] },
      });
      expect(trial.value).toMatchObject({
        err: null,
        logs: expect.arrayContaining([`Program ${SYSTEM_PROGRAM} success`]),
        unitsConsumed: 150,
        replacementBlockhash: null,
        returnData: null,
      });
      expect(trial.value.accounts).toEqual([
        expect.objectContaining({
          data: ['', 'base64'],
          executable: false,
          lamports: number,
          owner: SYSTEM_PROGRAM,
          space: 0,
        }),
      ]);
      const stale = await signed(rpc, [pay(alice, bob, 1_000 * SOL)], [alice], { blockhash: UNKNOWN_HASH });
      expect((await rpc.ask('simulateTransaction', stale, BASE64)).value).toMatchObject({
        err: 'BlockhashNotFound',
        logs: [],
      });
      const replaced = await rpc.ask('simulateTransaction', stale, {
        ...BASE64,
        replaceRecentBlockhash: true,
      });
      expect(replaced.value).toMatchObject({
        err: { InstructionError: [0, { Custom: 1 }] },
        replacementBlockhash: { blockhash: text, lastValidBlockHeight: number },
      });
      const both = { ...BASE64, sigVerify: true, replaceRecentBlockhash: true };
      expect(await rpc.refused('simulateTransaction', stale, both)).toMatchObject({ code: -32602 });
    });
  });
}
