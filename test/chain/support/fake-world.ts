import type { FakeChainOptions } from '../../support/fake-chain/options.ts';
import { type FakeChain, startFakeChain } from '../../support/fake-chain/start-fake-chain.ts';
import { type Actor, actor } from '../program/support/actors.ts';
import { type RawRpc, rawRpc } from './raw-rpc.ts';
import { pay, SOL, send, signed } from './send-raw.ts';

/** When these chains start, in Unix seconds, so that two runs of a seed are the same. */
const START = 1_900_000_000;

export const alice: Actor = actor('alice of the fake chain');
export const bob: Actor = actor('bob of the fake chain');

/** A chain that is moved by hand, with money in Alice's hands. */
export type FakeWorld = {
  chain: FakeChain;
  /** Asks the first node. */
  rpc: RawRpc;
  node(name: string): RawRpc;
  /** Sends Bob so many lamports from Alice, over the first node or another. */
  give(lamports: number, options?: object, node?: string): Promise<string>;
  /** The commitment that the first node says a transaction has; undefined where it knows none. */
  commitment(signature: string): Promise<string | undefined>;
};

export async function fakeWorld(options: Partial<FakeChainOptions> = {}): Promise<FakeWorld> {
  const chain = await startFakeChain({ seed: 1, slotMs: 'manual', startTime: START, ...options });
  chain.fund(alice.address, 1_000 * SOL);
  // Bob has what an account needs to live.
  chain.fund(bob.address, SOL);
  chain.advance(40);
  const rpc = rawRpc(() => chain.rpcUrl);
  const node = (name: string): RawRpc => rawRpc(() => chain.nodes[name]?.rpcUrl ?? `no node ${name}`);
  return {
    chain,
    rpc,
    node,
    async give(lamports, sending = {}, name) {
      const by = name === undefined ? rpc : node(name);
      return send(by, await signed(rpc, [pay(alice, bob, lamports)], [alice]), sending);
    },
    async commitment(signature) {
      const { value } = await rpc.ask('getSignatureStatuses', [signature]);
      return value[0]?.confirmationStatus;
    },
  };
}
