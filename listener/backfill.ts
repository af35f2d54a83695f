import type { ListedSignature } from '../src/domain/chain/rpc/node.ts';
import type { Rpc } from '../src/domain/chain/rpc/rpc.ts';

export type Cursor = { signature: string; slot: number };

const PAGE = 1_000;

/**
 * The signatures of our program that came after `cursor`, oldest first; all there are without one. Pages backwards
 * until the cursor, a slot before it, or the end of what the node knows.
 */
export async function backfill(
  rpc: Rpc,
  programId: string,
  cursor: Cursor | undefined,
): Promise<ListedSignature[]> {
  const found: ListedSignature[] = [];
  for (;;) {
    const before = found.at(-1)?.signature;
    const page = await rpc.ask((node) => node.getSignatures(programId, { limit: PAGE, before }));
    for (const info of page) {
      // A node that does not know `until` answers with everything: the slot says where to stop.
      if (cursor && (info.signature === cursor.signature || info.slot < cursor.slot)) return found.reverse();
      found.push(info);
    }
    if (page.length < PAGE) return found.reverse();
  }
}
