import { describe, expect, it } from 'vitest';
import { actor } from '../../program/support/actors.ts';
import { latestBlockhash, pay, reached, SOL, send, signed } from '../send-raw.ts';
import { CONFIRMED, type ContractWorld, context, number, text, UNKNOWN_HASH } from './contract-world.ts';

/** Slots, heights and blockhashes. */
export function slotsContract({ agave, alice, rpc, run }: ContractWorld): void {
  describe('slots and blockhashes', () => {
    it('has a newest slot, one that is confirmed and one that is final, in that order, and goes on', async () => {
      const [finalized, confirmed, processed] = await Promise.all(
        ['finalized', 'confirmed', 'processed'].map((commitment) => rpc.ask('getSlot', { commitment })),
      );
      expect(finalized).toBeLessThanOrEqual(confirmed);
      expect(confirmed).toBeLessThanOrEqual(processed + 1);
      await rpc.until(
        'a later slot',
        'getSlot',
        [{ commitment: 'processed' }],
        (slot) => slot > processed + 2,
      );
      await rpc.until('a later final slot', 'getSlot', [], (slot) => slot > finalized);
    });

    it('tells who it is', async () => {
      expect(await rpc.ask('getHealth')).toBe('ok');
      expect(await rpc.ask('getVersion')).toMatchObject({ 'solana-core': text, 'feature-set': number });
      expect(await rpc.ask('getGenesisHash')).toMatch(/^[1-9A-HJ-NP-Za-km-z]{32,44}$/);
      expect(await rpc.ask('getEpochInfo', CONFIRMED)).toMatchObject({
        absoluteSlot: number,
        blockHeight: number,
        epoch: 0,
        slotIndex: number,
        slotsInEpoch: number,
        transactionCount: number,
      });
      expect(await rpc.ask('getMinimumBalanceForRentExemption', 149)).toBe(1_927_920);
    });

    it('dates a block within a minute of now', async () => {
      const slot = await rpc.ask('getSlot', CONFIRMED);
      const time = await rpc.until('the time of a block', 'getBlockTime', [slot], (found) => found !== null);
      expect(Math.abs(time - Date.now() / 1_000)).toBeLessThan(60);
    });

    it('gives a blockhash that lives for 150 blocks at most, and tells whether one lives', async () => {
      const { context: at, value } = await rpc.ask('getLatestBlockhash', CONFIRMED);
      const height = await rpc.ask('getBlockHeight', CONFIRMED);
      expect(at).toEqual(context);
      expect(value.lastValidBlockHeight - height).toBeGreaterThan(50);
      // The embedded runtime counts one more.
      expect(value.lastValidBlockHeight - height).toBeLessThanOrEqual(agave ? 150 : 151);
      expect(await rpc.ask('isBlockhashValid', value.blockhash, CONFIRMED)).toEqual({ context, value: true });
      expect(await rpc.ask('isBlockhashValid', UNKNOWN_HASH, CONFIRMED)).toEqual({ context, value: false });
    });
  });

  it('lets a blockhash be used while it lives', async () => {
    const erin = actor(`erin of the contract ${run}`);
    const blockhash = await latestBlockhash(rpc);
    await rpc.until('three more blocks', 'getBlockHeight', [CONFIRMED], (height) => height > 3);
    const first = await send(rpc, await signed(rpc, [pay(alice, erin, SOL)], [alice], { blockhash }));
    await reached(rpc, [first], 'confirmed');
    const second = await send(rpc, await signed(rpc, [pay(alice, erin, SOL + 1)], [alice], { blockhash }));
    await reached(rpc, [second], 'confirmed');
  });
}
