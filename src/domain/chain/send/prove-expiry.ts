import { agreeOnAccounts, agreeOnStatuses, OPINIONS } from '../rpc/agree.ts';
import type { Rpc } from '../rpc/rpc.ts';

export type Doubtful = {
  signature: string;
  /** The last block height at which it could land. */
  lastValid: bigint;
  /** The account that it would have made, if it makes one. */
  account: string | undefined;
};

/**
 * Which transactions can never land any more, and did not: the finalized chain is past their last block, it does not know
 * them, and what they would have made is not there. Each of the three as of the same finalized slot or a later one, and
 * by as many nodes as a proof needs. `landed`: the account is there after all. In the order of `doubtful`.
 * @throws DomainError unavailable when no node answers
 */
export async function proveExpiry(
  rpc: Rpc,
  doubtful: readonly Doubtful[],
): Promise<('expired' | 'landed' | 'unknown')[]> {
  const heights = await rpc.askEach((node) => node.getHeight('finalized'));
  const needed = Math.min(OPINIONS, rpc.size);
  const slots = doubtful.map(({ lastValid }) => {
    const past = heights.filter(({ height }) => BigInt(height) > lastValid);
    return past.length >= needed ? Math.min(...past.map(({ slot }) => slot)) : undefined;
  });
  // One late enough for all of them: slots of the same moment differ by little.
  const slot = Math.max(0, ...slots.filter((one) => one !== undefined));
  const statuses = await agreeOnStatuses(
    rpc,
    doubtful.map(({ signature }) => ({ signature, slot })),
  );
  const accounts = doubtful.flatMap(({ account }) => account ?? []);
  const agreed = await agreeOnAccounts(rpc, accounts, { minSlot: slot });
  const byAddress = new Map(accounts.map((address, i) => [address, agreed[i]]));
  return doubtful.map(({ account }, i) => {
    const found = account === undefined ? 'absent' : byAddress.get(account);
    if (typeof found === 'object') return 'landed';
    if (slots[i] === undefined || statuses[i] !== 'absent' || found !== 'absent') return 'unknown';
    return 'expired';
  });
}
