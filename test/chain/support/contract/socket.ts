import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SYSTEM_PROGRAM } from '../../../../programs-client/addresses.ts';
import { sleep } from '../../../../src/platform/retry.ts';
import { actor } from '../../program/support/actors.ts';
import { type Json, type RawSocket, rawSocket } from '../raw-rpc.ts';
import { pay, SOL, send, signed } from '../send-raw.ts';
import { BASE64, CONFIRMED, type ContractWorld, context, number } from './contract-world.ts';

/** What a WebSocket tells. */
export function socketContract({ agave, alice, bob, rpc, run, wsUrl }: ContractWorld): void {
  describe('the socket', () => {
    let socket: RawSocket;
    beforeAll(async () => {
      socket = await rawSocket(wsUrl());
    });
    afterAll(() => socket?.close());

    it('tells of slots until it is told to stop', async () => {
      const subscription = await socket.ask('slotSubscribe');
      const first = await socket.notified('slot');
      expect(first).toEqual({ subscription, result: { slot: number, parent: number, root: number } });
      expect(first.result.parent).toBeLessThan(first.result.slot);
      await socket.notified('slot', ({ slot }) => slot > first.result.slot);
      expect(await socket.ask('slotUnsubscribe', subscription)).toBe(true);
      await sleep(100);
      const heard = socket.heard.length;
      await sleep(1_000);
      expect(socket.heard.length).toBe(heard);
    });

    it('tells of a transaction to who named its account, its signature, or the program that owns it', async () => {
      const dave = actor(`dave of the contract ${run}`);
      const asked = {
        logs: await socket.ask('logsSubscribe', { mentions: [dave.address] }, CONFIRMED),
        account: await socket.ask('accountSubscribe', dave.address, BASE64),
        program: await socket.ask('programSubscribe', SYSTEM_PROGRAM, BASE64),
      };
      const signature = await send(rpc, await signed(rpc, [pay(alice, dave, 3 * SOL)], [alice]));
      const waited = await socket.ask('signatureSubscribe', signature, CONFIRMED);
      const account = expect.objectContaining({
        data: ['', 'base64'],
        executable: false,
        lamports: 3 * SOL,
        owner: SYSTEM_PROGRAM,
      });
      expect(await socket.notified('logs')).toEqual({
        subscription: asked.logs,
        result: {
          context,
          value: {
            signature,
            err: null,
            logs: [`Program ${SYSTEM_PROGRAM} invoke [1]`, `Program ${SYSTEM_PROGRAM} success`],
          },
        },
      });
      expect(await socket.notified('account')).toEqual({
        subscription: asked.account,
        result: { context, value: account },
      });
      const isDave = (result: Json) => result.value.pubkey === dave.address;
      expect(await socket.notified('program', isDave)).toEqual({
        subscription: asked.program,
        result: { context, value: { pubkey: dave.address, account } },
      });
      expect(await socket.notified('signature')).toEqual({
        subscription: waited,
        result: { context, value: { err: null } },
      });
      const late = await socket.ask('signatureSubscribe', signature, BASE64);
      await expect
        .poll(
          () =>
            socket.heard.filter((one) => one.method === 'signatureNotification').at(-1)?.params.subscription,
        )
        .toBe(late);
      for (const [kind, id] of Object.entries(asked))
        expect(await socket.ask(`${kind}Unsubscribe`, id)).toBe(true);
    });

    it('refuses what it cannot tell of', async () => {
      expect(await socket.refused('getSlot')).toMatchObject({ code: -32601 });
      expect(await socket.refused('logsSubscribe', 'bogus')).toMatchObject({ code: -32602 });
      expect(await socket.refused('accountSubscribe', 'xx')).toMatchObject({ code: -32602 });
      expect(await socket.refused('signatureSubscribe', 'xx')).toMatchObject({ code: -32602 });
      expect(await socket.refused('slotUnsubscribe', 77_777)).toMatchObject({
        code: -32602,
        message: 'Invalid subscription id.',
      });
      if (!agave) return;
      const two = { mentions: [alice.address, bob.address] };
      expect(await socket.refused('logsSubscribe', two)).toEqual({
        code: -32602,
        message: 'Invalid Request: Only 1 address supported',
      });
      expect(await socket.ask('slotSubscribe')).toBe(await socket.ask('slotSubscribe'));
    });
  });
}
