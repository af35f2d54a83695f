import type { Account, AsOf, Status } from './node.ts';
import type { Rpc } from './rpc.ts';

/**
 * What the nodes together know. `absent` is a proof, not a silence: enough nodes looked, each at a moment that was late
 * enough to see it. `unknown` means ask again.
 */
export type Agreed<T> = { known: T; slot: number } | 'absent' | 'unknown';

/** With several nodes a decision that cannot be taken back needs two of them; a lone node has to prove itself only. */
export const OPINIONS = 2;

/**
 * The finalized accounts at `addresses`, in their order; `minSlot` is the slot that an answer must have reached to say
 * that there is none. An account that one node shows is there, whatever the others say.
 * @throws DomainError unavailable when no node answers
 */
export async function agreeOnAccounts(
  rpc: Rpc,
  addresses: readonly string[],
  { minSlot }: { minSlot: number },
): Promise<Agreed<Account>[]> {
  if (addresses.length === 0) return [];
  const answers = await rpc.askEach((node) => node.getAccounts(addresses, { commitment: 'finalized' }));
  const needed = Math.min(OPINIONS, rpc.size);
  return addresses.map((_, at) => {
    const views = answers.map(
      ({ slot, value }): AsOf<Account | null> => ({ slot, value: value[at] ?? null }),
    );
    const shown = newest(views.filter((view) => view.value !== null));
    // Shown by a node that has come far enough, it is there; an older sight may be of what was closed since.
    if (shown?.value) return shown.slot >= minSlot ? { known: shown.value, slot: shown.slot } : 'unknown';
    return views.filter(({ slot }) => slot >= minSlot).length >= needed ? 'absent' : 'unknown';
  });
}

/**
 * How far transactions got, in the order of `asked`. `slot` is where each was seen, and a node must have finalized that
 * slot to say that it is not there. `finalized` needs as many opinions; with fewer the status says `confirmed`.
 * @throws DomainError unavailable when no node answers
 */
export async function agreeOnStatuses(
  rpc: Rpc,
  asked: readonly { signature: string; slot: number }[],
): Promise<Agreed<Status>[]> {
  if (asked.length === 0) return [];
  const signatures = asked.map(({ signature }) => signature);
  const answers = await rpc.askEach(async (node) => {
    // The slot first: what is null afterwards was null when this slot was final.
    const finalized = await node.getSlot('finalized');
    return { finalized, statuses: (await node.getStatuses(signatures)).value };
  });
  const needed = Math.min(OPINIONS, rpc.size);
  return asked.map(({ slot }, at) => {
    const views = answers.map(({ finalized, statuses }) => ({ finalized, status: statuses[at] ?? null }));
    const shown = views.flatMap(({ status }) => (status ? [status] : []));
    const best = shown.sort((a, b) => depth(b) - depth(a))[0];
    if (!best)
      return views.filter(({ finalized }) => finalized >= slot).length >= needed ? 'absent' : 'unknown';
    const final = views.filter(
      ({ finalized, status }) =>
        status?.confirmationStatus === 'finalized' && status.slot === best.slot && finalized >= status.slot,
    );
    if (best.confirmationStatus !== 'finalized' || final.length >= needed)
      return { known: best, slot: best.slot };
    return { known: { ...best, confirmationStatus: 'confirmed' }, slot: best.slot };
  });
}

function newest<T>(views: AsOf<T>[]): AsOf<T> | undefined {
  return views.reduce<AsOf<T> | undefined>(
    (best, view) => (best === undefined || view.slot > best.slot ? view : best),
    undefined,
  );
}

function depth({ confirmationStatus }: Status): number {
  return confirmationStatus === 'finalized' ? 2 : confirmationStatus === 'confirmed' ? 1 : 0;
}
