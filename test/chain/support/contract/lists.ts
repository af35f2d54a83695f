import { describe, expect, it } from 'vitest';
import { actor } from '../../program/support/actors.ts';
import type { Json } from '../raw-rpc.ts';
import { pay, reached, SOL, send, signed } from '../send-raw.ts';
import { CONFIRMED, type ContractWorld, UNKNOWN_SIGNATURE } from './contract-world.ts';

/** Which transactions name an address. */
export function listsContract({ alice, rpc, run }: ContractWorld): void {
  describe('the list of an address', () => {
    it('is newest first, and is paged by before, until and limit', async () => {
      const carol = actor(`carol of the contract ${run}`);
      const sent: string[] = [];
      for (let turn = 0; turn < 4; turn++) {
        sent.unshift(await send(rpc, await signed(rpc, [pay(alice, carol, SOL + turn)], [alice])));
        await reached(rpc, sent, 'confirmed');
      }
      const list = async (options: object): Promise<string[]> =>
        (await rpc.ask('getSignaturesForAddress', carol.address, { ...CONFIRMED, ...options })).map(
          (one: Json) => one.signature,
        );
      await rpc.until(
        'the list',
        'getSignaturesForAddress',
        [carol.address, CONFIRMED],
        (found) => found.length === 4,
      );
      expect(await list({})).toEqual(sent);
      expect(await list({ limit: 2 })).toEqual(sent.slice(0, 2));
      expect(await list({ before: sent[1] })).toEqual(sent.slice(2));
      expect(await list({ until: sent[2] })).toEqual(sent.slice(0, 2));
      expect(await list({ before: sent[0], until: sent[3] })).toEqual(sent.slice(1, 3));
      expect(await list({ before: UNKNOWN_SIGNATURE })).toEqual([]);
      expect(await list({ until: UNKNOWN_SIGNATURE })).toEqual(sent);
      const slots = (await rpc.ask('getSignaturesForAddress', carol.address, CONFIRMED)).map(
        (one: Json) => one.slot,
      );
      expect(slots).toEqual(slots.toSorted((a: number, b: number) => b - a));
    });

    it('is empty for who is unknown', async () => {
      expect(await rpc.ask('getSignaturesForAddress', actor(`unheard ${run}`).address, CONFIRMED)).toEqual(
        [],
      );
    });
  });
}
