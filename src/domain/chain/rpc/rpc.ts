import { type Breaker, createBreaker } from '../../../platform/breaker.ts';
import type { Cache } from '../../../platform/cache.ts';
import { DomainError } from '../../../platform/errors.ts';
import type { Logger } from '../../../platform/logger.ts';
import type { Metrics } from '../../../platform/metrics.ts';
import { type Node, openNode } from './node.ts';
import { isBehind, NodeFailure, RpcRefusal } from './rpc-error.ts';

/** The nodes of one chain. A node of another chain is never asked. */
export type Rpc = {
  /** How many nodes were configured. */
  readonly size: number;
  /**
   * Asks the node that stands first and is well; where it gives no usable answer or is behind, the next one.
   * @throws RpcRefusal when a node says no, DomainError unavailable when none answers
   */
  ask<T>(question: (node: Node) => Promise<T>): Promise<T>;
  /**
   * Asks every node for its opinion; the answers of those that gave one, at least one. Where a decision cannot be taken
   * back, one node that lags or lies must not make it alone.
   * @throws DomainError unavailable when none answers
   */
  askEach<T>(question: (node: Node) => Promise<T>): Promise<T[]>;
  /**
   * A blockhash to sign with, confirmed, and at most two seconds old: it serves all that is signed meanwhile.
   * @throws DomainError unavailable when none answers
   */
  latestBlockhash(): Promise<Blockhash>;
  /** The chain that they serve. @throws DomainError unavailable, WrongGenesis when it is not the configured one */
  genesis(): Promise<string>;
  /** For people: each node with how it stands. */
  health(): NodeHealth[];
  close(): Promise<void>;
};

export type Blockhash = { blockhash: string; lastValidBlockHeight: number };

export type NodeHealth = { name: string; state: 'well' | 'resting' | 'wrong_chain'; reason?: string };

/** A node serves another chain than the one it was configured or first seen with. */
export class WrongGenesis extends Error {
  constructor(name: string, found: string, expected: string) {
    super(
      `The node ${name} serves the chain with the genesis hash ${found}, and ours is ${expected}: ` +
        'CHAIN_RPC_URL or CHAIN_GENESIS_HASH is wrong.',
    );
    this.name = 'WrongGenesis';
  }
}

type Member = {
  node: Node;
  breaker: Breaker;
  /** Its chain was asked since it last failed. */
  verified: boolean;
  wrong: WrongGenesis | undefined;
  restUntil: number;
};

/** How long before a node of another chain is asked again which chain it serves. */
const WRONG_CHAIN_REST_MS = 30_000;

/** How long a blockhash serves. It is good for 150 blocks, a minute; on chains with short blocks for seconds. */
const BLOCKHASH_FRESH_MS = 2_000;

/** Opens no connection yet. `genesisHash` is the chain that is expected; without it, that of the first node which answers. */
export function createRpc(options: {
  urls: readonly string[];
  genesisHash?: string | undefined;
  cache: Cache;
  log: Logger;
  metrics: Metrics;
}): Rpc {
  const { urls, log, cache, metrics } = options;
  let expected = options.genesisHash;
  const members = urls.map((url, at): Member => {
    // One circuit per node, so that one that is away does not stop the others.
    const circuit = at === 0 ? 'chain' : `chain_${at}`;
    const breaker = createBreaker({ service: 'chain', circuit, cache, log, metrics });
    return { node: openNode(url), breaker, verified: false, wrong: undefined, restUntil: 0 };
  });

  /** Whatever was connected anew may be another chain. */
  async function verify(member: Member): Promise<void> {
    if (member.verified) return;
    const found = await member.node.getGenesisHash();
    expected ??= found;
    member.wrong = found === expected ? undefined : new WrongGenesis(member.node.name, found, expected);
    if (member.wrong) {
      member.restUntil = performance.now() + WRONG_CHAIN_REST_MS;
      log.error({ node: member.node.name, found, expected }, 'a node serves another chain');
      throw member.wrong;
    }
    member.verified = true;
  }

  async function askOne<T>(member: Member, question: (node: Node) => Promise<T>): Promise<T> {
    const outcome = await member.breaker.run(async () => {
      try {
        await verify(member);
        return { answer: await question(member.node) };
      } catch (error) {
        // A refusal is an answer: it must not open the circuit.
        if (error instanceof RpcRefusal) return { refusal: error };
        if (error instanceof NodeFailure) {
          member.verified = false;
          if (error.restMs !== undefined) member.restUntil = performance.now() + error.restMs;
        }
        throw error;
      }
    });
    if ('refusal' in outcome) throw outcome.refusal;
    return outcome.answer;
  }

  let latest: { until: number; blockhash: Promise<Blockhash> } | undefined;

  const isResting = (member: Member): boolean =>
    member.breaker.isOpen() || performance.now() < member.restUntil;

  return {
    size: members.length,
    async ask(question) {
      let last: unknown;
      // Those that rest are asked too when nobody else answers: they may be well again.
      const inTurn = [...members].sort((a, b) => Number(isResting(a)) - Number(isResting(b)));
      for (const member of inTurn) {
        try {
          return await askOne(member, question);
        } catch (error) {
          if (!isNodeFault(error)) throw error;
          log.debug({ node: member.node.name, err: (error as Error).message }, 'a node gave no answer');
          last = error;
        }
      }
      throw unavailable(last);
    },
    async askEach(question) {
      const outcomes = await Promise.allSettled(members.map((member) => askOne(member, question)));
      const answers = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
      if (answers.length > 0) return answers;
      const reasons = outcomes.map((outcome) => (outcome as PromiseRejectedResult).reason);
      throw reasons.find((reason) => !isNodeFault(reason)) ?? unavailable(reasons[0]);
    },
    latestBlockhash() {
      if (latest && performance.now() < latest.until) return latest.blockhash;
      const blockhash = this.ask((node) => node.getLatestBlockhash()).then(({ value }) => value);
      const asked = { until: performance.now() + BLOCKHASH_FRESH_MS, blockhash };
      latest = asked;
      // One that nobody got is asked for again by whoever comes next.
      blockhash.catch(() => {
        if (latest === asked) latest = undefined;
      });
      return blockhash;
    },
    async genesis() {
      try {
        await this.ask(async () => undefined);
      } catch (error) {
        throw members.find((member) => member.wrong)?.wrong ?? error;
      }
      return expected as string;
    },
    health: () =>
      members.map((member) => {
        if (member.wrong)
          return { name: member.node.name, state: 'wrong_chain', reason: member.wrong.message };
        return { name: member.node.name, state: isResting(member) ? 'resting' : 'well' };
      }),
    async close() {
      await Promise.all(members.map(({ node }) => node.close()));
    },
  };
}

/** What another node may make good. */
function isNodeFault(error: unknown): boolean {
  if (error instanceof DomainError) return error.kind === 'unavailable';
  return error instanceof NodeFailure || error instanceof WrongGenesis || isBehind(error);
}

function unavailable(cause: unknown): DomainError {
  if (cause instanceof DomainError) return cause;
  return new DomainError('unavailable', 'chain_unavailable', 'The chain does not answer.', {
    retryAfter: 5,
  }).withCause(cause);
}
