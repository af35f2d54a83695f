import { describe, expect, it } from 'vitest';
import { LOCAL_PROGRAM } from '../../../../programs-client/addresses.ts';
import { type ContractWorld, FAR, number, UNKNOWN_SIGNATURE } from './contract-world.ts';

/** What a node cannot answer. */
export function refusalsContract({ agave, alice, rpc }: ContractWorld): void {
  describe('what it cannot answer', () => {
    it('is refused with the codes of JSON-RPC', async () => {
      expect(await rpc.refused('nonsense')).toMatchObject({ code: -32601, message: 'Method not found' });
      expect(await rpc.refused('getAccountInfo')).toMatchObject({ code: -32602 });
      expect(await rpc.refused('getAccountInfo', 'xx')).toMatchObject({ code: -32602 });
      expect(await rpc.refused('getTransaction', 'xx')).toMatchObject({ code: -32602 });
      expect(await rpc.refused('getSlot', 'x')).toMatchObject({ code: -32602 });
      const known = { commitment: 'confirmed', minContextSlot: FAR };
      expect(await rpc.refused('getSlot', known)).toMatchObject({
        code: -32016,
        message: 'Minimum context slot has not been reached',
        data: { contextSlot: number },
      });
      expect(await rpc.refused('getLatestBlockhash', known)).toMatchObject({ code: -32016 });
      expect(JSON.parse((await rpc.post('{"a')).text)).toEqual({
        jsonrpc: '2.0',
        error: { code: -32700, message: 'Parse error' },
        id: null,
      });
      expect(JSON.parse((await rpc.post({ id: 1, method: 'getSlot' })).text)).toMatchObject({
        error: { code: -32600 },
      });
    });

    it('that is not asked by POST in JSON is refused by HTTP', async () => {
      expect((await fetch(rpc.url())).status).toBe(405);
      expect(
        (await rpc.post({ jsonrpc: '2.0', id: 1, method: 'getSlot' }, { 'content-type': 'text/plain' }))
          .status,
      ).toBe(415);
      const sound = await rpc.post({ jsonrpc: '2.0', id: 'a name', method: 'getHealth' });
      expect(sound).toMatchObject({ status: 200, type: 'application/json; charset=utf-8' });
      expect(JSON.parse(sound.text)).toEqual({ jsonrpc: '2.0', result: 'ok', id: 'a name' });
    });

    it(
      agave ? 'has its limits, and several calls may come at once' : 'several calls at once are not taken',
      async () => {
        const several = await rpc.post([
          { jsonrpc: '2.0', id: 1, method: 'getHealth' },
          { jsonrpc: '2.0', id: 2, method: 'nonsense' },
        ]);
        if (!agave) {
          expect(JSON.parse(several.text)).toMatchObject({ error: { code: -32600 } });
          return;
        }
        expect(JSON.parse(several.text)).toEqual([
          { jsonrpc: '2.0', result: 'ok', id: 1 },
          { jsonrpc: '2.0', error: { code: -32601, message: 'Method not found' }, id: 2 },
        ]);
        expect((await rpc.post('[]')).text).toBe('');
        expect(await rpc.refused('getMultipleAccounts', Array(101).fill(alice.address))).toEqual({
          code: -32602,
          message: 'Too many inputs provided; max 100',
        });
        expect(await rpc.refused('getSignatureStatuses', Array(257).fill(UNKNOWN_SIGNATURE))).toEqual({
          code: -32602,
          message: 'Too many inputs provided; max 256',
        });
        expect(await rpc.refused('getSignaturesForAddress', alice.address, { limit: 1_001 })).toEqual({
          code: -32602,
          message: 'Invalid limit; max 1000',
        });
        for (const method of ['getSignaturesForAddress', 'getTransaction']) {
          const subject = method === 'getTransaction' ? UNKNOWN_SIGNATURE : alice.address;
          expect(await rpc.refused(method, subject, { commitment: 'processed' })).toEqual({
            code: -32602,
            message: 'Method does not support commitment below `confirmed`',
          });
        }
        expect(
          await rpc.refused('getSignaturesForAddress', alice.address, { minContextSlot: FAR }),
        ).toMatchObject({ code: -32016 });
        expect(
          (await rpc.post({ jsonrpc: '2.0', id: 1, method: 'getSlot', params: ['x'.repeat(60_000)] })).status,
        ).toBe(413);
        const filters = Array(5).fill({ dataSize: 1 });
        expect(await rpc.refused('getProgramAccounts', LOCAL_PROGRAM, { filters })).toMatchObject({
          code: -32602,
        });
      },
    );
  });
}
