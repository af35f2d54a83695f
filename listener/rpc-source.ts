import type { ListedSignature } from '../src/domain/chain/rpc/node.ts';
import type { ListenerContext } from '../src/domain/chain/sync/listener-context.ts';
import { sleep } from '../src/platform/retry.ts';
import { listSignatures } from './list-signatures.ts';
import { readFromAny, readTransactions } from './read-transactions.ts';
import type { ChainSource, Cursor, SeenBatch } from './source.ts';
import type { Hints } from './subscribe.ts';

/** No fetch sooner than this after the last: a rush of notifications is one fetch. */
const PAUSE_MS = 50;
const RETRY_MS = 1_000;
/**
 * The lists of nodes have holes that close later. Each fetch looks back a few slots, and every few seconds to so many
 * slots behind the finalized one, where nothing appears any more; so often too when the socket says nothing.
 */
const LOOK_BACK_SLOTS = 8;
const OVERLAP_SLOTS = 64;
const OVERLAP_EVERY_MS = 5_000;
/** Transactions fetched at once, and how many such fetches run side by side. */
const CHUNK = 128;
const WINDOW = 6;

/**
 * Follows the chain over JSON-RPC: signatures are listed ahead, their transactions fetched side by side in a bounded
 * window, and given out in order. Live and back-fill are one road; a notification only shortens the wait for the next
 * fetch.
 */
export function createRpcSource(ctx: ListenerContext, hints: Hints): ChainSource {
  const { rpc, programId } = ctx;
  let newest = 0;

  async function* follow(from: Cursor | undefined, signal: AbortSignal): AsyncGenerator<SeenBatch> {
    const seen = new Seen();
    let listedUpTo: number | undefined;
    let overlappedAt = Number.NEGATIVE_INFINITY;
    while (!signal.aborted) {
      let slot: number;
      let fresh: ListedSignature[];
      let hole: boolean;
      try {
        const overlap = performance.now() - overlappedAt >= OVERLAP_EVERY_MS;
        slot = await rpc.ask((node) => node.getSlot('confirmed'));
        newest = Math.max(newest, slot);
        const floor = overlap ? await floorOf(from, listedUpTo) : lookBack(listedUpTo);
        const listing = await listSignatures(rpc, programId, floor);
        if (overlap) {
          overlappedAt = performance.now();
          if (floor !== undefined && listedUpTo !== undefined) seen.forgetBefore(floor);
        }
        // The first listing must reach the cursor; where its history is gone, accounts have to tell.
        const oldest = listing.listed[0]?.slot;
        hole =
          listedUpTo === undefined &&
          from !== undefined &&
          !listing.complete &&
          (oldest === undefined || oldest > from.slot);
        fresh = seen.take(listing.listed);
        listedUpTo = Math.max(listedUpTo ?? from?.slot ?? 0, fresh.at(-1)?.slot ?? 0);
      } catch (error) {
        ctx.log.warn({ err: (error as Error).message }, 'cannot list what happened on the chain');
        await sleep(RETRY_MS, signal);
        continue;
      }
      for await (const batch of fetchInOrder(fresh, signal)) yield batch;
      if (signal.aborted) return;
      yield { transactions: [], unusable: [], cursors: [], caughtUp: slot, ...(hole ? { hole } : {}) };
      if (fresh.length > 0) await sleep(PAUSE_MS, signal);
      else await hints.next(OVERLAP_EVERY_MS);
    }
  }

  function lookBack(listedUpTo: number | undefined): number | undefined {
    return listedUpTo && Math.max(0, listedUpTo - LOOK_BACK_SLOTS);
  }

  async function floorOf(
    from: Cursor | undefined,
    listedUpTo: number | undefined,
  ): Promise<number | undefined> {
    if (listedUpTo === undefined) return from && Math.max(0, from.slot - OVERLAP_SLOTS);
    const finalized = await rpc.ask((node) => node.getSlot('finalized'));
    return Math.max(0, Math.min(finalized, listedUpTo) - OVERLAP_SLOTS);
  }

  /** Fetches the next chunks while one is used. */
  async function* fetchInOrder(
    listed: readonly ListedSignature[],
    signal: AbortSignal,
  ): AsyncGenerator<SeenBatch> {
    const window: Promise<SeenBatch>[] = [];
    for (let at = 0; at < listed.length || window.length > 0; ) {
      while (at < listed.length && window.length < WINDOW) {
        const chunk = fetchUntilAnswered(listed.slice(at, at + CHUNK), signal);
        // Whoever waits for it sees the failure, even when others fail before it.
        chunk.catch(() => undefined);
        window.push(chunk);
        at += CHUNK;
      }
      const next = await (window.shift() as Promise<SeenBatch>);
      if (signal.aborted) return;
      yield next;
    }
  }

  /** An answer of the node ends it; a node that is away does not. */
  async function fetchUntilAnswered(
    chunk: readonly ListedSignature[],
    signal: AbortSignal,
  ): Promise<SeenBatch> {
    const cursors = chunk.map(({ signature, slot }) => ({ signature, slot }));
    const succeeded = chunk.filter(({ err }) => err === null || err === undefined);
    for (;;) {
      try {
        if (succeeded.length === 0) return { transactions: [], unusable: [], cursors };
        return { ...(await readTransactions(rpc, programId, succeeded)), cursors };
      } catch (error) {
        if (signal.aborted) return { transactions: [], unusable: [], cursors: [] };
        ctx.log.warn({ err: (error as Error).message }, 'cannot fetch transactions');
        await sleep(RETRY_MS, signal);
      }
    }
  }

  return {
    follow,
    fetch: (listed) => readFromAny(rpc, programId, listed),
    slot: () => Math.max(newest, hints.slot()),
  };
}

/** What was given out lately: a transaction in the same slot again is not fetched again. */
class Seen {
  readonly #slots = new Map<string, number>();

  /** Those that are new, in their order. One that landed in another slot after a fork is new. */
  take(listed: readonly ListedSignature[]): ListedSignature[] {
    return listed.filter(({ signature, slot }) => {
      if (this.#slots.get(signature) === slot) return false;
      this.#slots.set(signature, slot);
      return true;
    });
  }

  forgetBefore(slot: number): void {
    for (const [signature, at] of this.#slots) if (at < slot) this.#slots.delete(signature);
  }
}
