import type { ListedSignature } from '../src/domain/chain/rpc/node.ts';
import type { Rpc } from '../src/domain/chain/rpc/rpc.ts';

const PAGE = 1_000;
/** Of a look at what is new, which is little most of the time. */
const FIRST_PAGE = 100;

export type Listing = {
  /** Oldest first. */
  listed: ListedSignature[];
  /** Whether it reaches back to `floor`, so that nothing of what the node lists is missing in between. */
  complete: boolean;
};

/**
 * The signatures that name our program, from slot `floor` on; all there are without one. Pages backwards until a slot
 * before it or the end of what the node knows.
 */
export async function listSignatures(
  rpc: Rpc,
  programId: string,
  floor: number | undefined,
): Promise<Listing> {
  const found: ListedSignature[] = [];
  for (;;) {
    const before = found.at(-1)?.signature;
    const limit = before === undefined && floor !== undefined ? FIRST_PAGE : PAGE;
    const page = await rpc.ask((node) => node.getSignatures(programId, { limit, before }));
    const [first] = page;
    // A node that does not know `before` begins again with the newest.
    if (first && first.slot > (found.at(-1)?.slot ?? first.slot))
      throw new Error('the node lists its signatures in another order than asked for');
    for (const one of page) {
      if (floor !== undefined && one.slot < floor) return { listed: inOrder(found), complete: true };
      found.push(one);
    }
    if (page.length < limit) return { listed: inOrder(found), complete: floor === undefined };
  }
}

/** A stable sort: within a slot the node's order is the chain's. A node that mixes slots up does no harm. */
function inOrder(newestFirst: ListedSignature[]): ListedSignature[] {
  return newestFirst.reverse().sort((a, b) => a.slot - b.slot);
}
