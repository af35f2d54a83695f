import { describe, expect, it } from 'vitest';
import { SYSTEM_PROGRAM } from '../../../../programs-client/addresses.ts';
import { actor } from '../../program/support/actors.ts';
import type { RawRpc } from '../raw-rpc.ts';
import { memo, pay, reached, SOL, send, signed } from '../send-raw.ts';
import {
  BASE64,
  CONFIRMED,
  type ContractWorld,
  context,
  number,
  shown,
  text,
  UNKNOWN_HASH,
  UNKNOWN_SIGNATURE,
} from './contract-world.ts';

/** One transaction, from sent to final, and those that do not get there. */
export function transactionsContract({ agave, alice, bob, rpc, run }: ContractWorld): void {
  describe('a transaction', () => {
    it('goes from sent to final and is told of everywhere in the same words', async () => {
      const transaction = await signed(rpc, [pay(alice, bob, SOL), memo('hello')], [alice]);
      const [before = 0] = await balances(rpc, alice.address);
      const signature = await send(rpc, transaction);
      await reached(rpc, [signature], 'confirmed');
      const statuses = await rpc.ask('getSignatureStatuses', [signature, UNKNOWN_SIGNATURE]);
      expect(statuses).toEqual({
        context,
        value: [
          {
            confirmationStatus: text,
            confirmations: expect.anything(),
            err: null,
            slot: number,
            status: { Ok: null },
          },
          null,
        ],
      });
      const { slot } = statuses.value[0];
      const told = await shown(rpc, signature);
      expect(told).toMatchObject({ blockTime: number, slot, version: 'legacy' });
      expect(told.transaction).toMatchObject({
        signatures: [signature],
        message: {
          accountKeys: expect.arrayContaining([alice.address, bob.address, SYSTEM_PROGRAM]),
          header: {
            numReadonlySignedAccounts: 0,
            numReadonlyUnsignedAccounts: 2,
            numRequiredSignatures: 1,
          },
          instructions: [
            { accounts: [0, 1], data: text, programIdIndex: number },
            { accounts: [], data: text, programIdIndex: number },
          ],
          recentBlockhash: text,
        },
      });
      expect(told.meta).toMatchObject({
        err: null,
        fee: 5_000,
        computeUnitsConsumed: number,
        innerInstructions: [],
        loadedAddresses: { readonly: [], writable: [] },
        logMessages: expect.arrayContaining([`Program ${SYSTEM_PROGRAM} success`]),
        postBalances: expect.arrayContaining([SOL]),
        preBalances: expect.arrayContaining([0]),
        preTokenBalances: [],
        postTokenBalances: [],
        status: { Ok: null },
      });
      expect(told.meta.preBalances).toHaveLength(told.transaction.message.accountKeys.length);
      expect(told.meta.preBalances[0] - told.meta.postBalances[0]).toBe(SOL + 5_000);
      expect(await balances(rpc, alice.address, bob.address)).toEqual([before - SOL - 5_000, SOL]);
      const raw = await rpc.ask('getTransaction', signature, {
        ...BASE64,
        maxSupportedTransactionVersion: 0,
      });
      expect(raw.transaction).toEqual([transaction, 'base64']);
      const [listed] = await rpc.ask('getSignaturesForAddress', bob.address, CONFIRMED);
      expect(listed).toEqual({
        signature,
        slot,
        err: null,
        memo: '[5] hello',
        blockTime: told.meta && number,
        confirmationStatus: text,
      });
      await reached(rpc, [signature], 'finalized');
      const [final] = (await rpc.ask('getSignatureStatuses', [signature], { searchTransactionHistory: true }))
        .value;
      expect(final).toMatchObject({ confirmationStatus: 'finalized', confirmations: null, slot });
      expect(
        await rpc.ask('getTransaction', signature, { maxSupportedTransactionVersion: 0 }),
      ).not.toBeNull();
    });

    it('is told of by addresses to who asks for it parsed', async () => {
      const signature = await send(rpc, await signed(rpc, [pay(alice, bob, 11), memo('parsed')], [alice]));
      await reached(rpc, [signature], 'confirmed');
      const told = await shown(rpc, signature, { encoding: 'jsonParsed' });
      expect(told.transaction.message.accountKeys[0]).toEqual({
        pubkey: alice.address,
        signer: true,
        source: 'transaction',
        writable: true,
      });
      expect(told.transaction.message.instructions[0]).toMatchObject({ programId: SYSTEM_PROGRAM });
    });

    it('that fails is refused with the reason, and lands with it where nobody checks', async () => {
      const hopeless = await signed(rpc, [pay(alice, bob, 1_000 * SOL)], [alice]);
      const refusal = await rpc.refused('sendTransaction', hopeless, {
        encoding: 'base64',
        preflightCommitment: 'confirmed',
      });
      const err = { InstructionError: [0, { Custom: 1 }] };
      expect(refusal.code).toBe(-32002);
      expect(refusal.message).toContain(
        'Transaction simulation failed: Error processing Instruction 0: custom program error: 0x1',
      );
      expect(refusal.data).toMatchObject({
        err,
        accounts: null,
        logs: expect.arrayContaining([`Program ${SYSTEM_PROGRAM} invoke [1]`]),
        unitsConsumed: number,
      });
      const signature = await send(rpc, hopeless, { skipPreflight: true });
      await reached(rpc, [signature], 'confirmed');
      const [status] = (await rpc.ask('getSignatureStatuses', [signature])).value;
      expect(status).toMatchObject({ err, status: { Err: err } });
      expect((await shown(rpc, signature)).meta).toMatchObject({ err, fee: 5_000, status: { Err: err } });
      const [listed] = await rpc.ask('getSignaturesForAddress', bob.address, { ...CONFIRMED, limit: 1 });
      expect(listed).toMatchObject({ signature, err });
    });

    it('with a blockhash that nobody knows, without a signature, and without money for the fee is refused', async () => {
      const options = { encoding: 'base64', preflightCommitment: 'confirmed' };
      const stale = await signed(rpc, [pay(alice, bob, 12)], [alice], { blockhash: UNKNOWN_HASH });
      expect(await rpc.refused('sendTransaction', stale, options)).toMatchObject({
        code: -32002,
        data: { err: 'BlockhashNotFound' },
      });
      const sound = Buffer.from(await signed(rpc, [pay(alice, bob, 13)], [alice]), 'base64');
      const unsigned = Buffer.from(sound);
      unsigned.fill(0, 1, 65);
      const { code } = await rpc.refused('sendTransaction', unsigned.toString('base64'), options);
      expect(code).toBe(agave ? -32003 : code);
      const nobody = actor(`nobody ${run}`);
      const poor = await signed(rpc, [pay(nobody, bob, 14)], [nobody]);
      expect(await rpc.refused('sendTransaction', poor, options)).toMatchObject({
        code: -32002,
        data: { err: 'AccountNotFound' },
      });
    });

    it('that landed is refused a second time', async () => {
      const transaction = await signed(rpc, [pay(alice, bob, 15)], [alice]);
      const signature = await send(rpc, transaction);
      await reached(rpc, [signature], 'confirmed');
      const refusal = await rpc.refused('sendTransaction', transaction, {
        encoding: 'base64',
        preflightCommitment: 'confirmed',
      });
      expect(refusal.code).toBe(-32002);
      expect(refusal.message).toContain('This transaction has already been processed');
      if (agave) expect(await send(rpc, transaction, { skipPreflight: true })).toBe(signature);
    });
  });
}

async function balances(rpc: RawRpc, ...addresses: string[]): Promise<number[]> {
  return Promise.all(
    addresses.map(async (address) => (await rpc.ask('getBalance', address, CONFIRMED)).value),
  );
}
