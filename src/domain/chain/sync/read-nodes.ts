import type { NodeHealth, Rpc } from '../rpc/rpc.ts';

export type NodeStatus = {
  nodes: NodeHealth[];
  chain: { confirmed: number; finalized: number; ms: number } | null;
};

/** The nodes with how they stand, and where the chain is; null when none answers. */
export async function readNodes(rpc: Rpc): Promise<NodeStatus> {
  const began = performance.now();
  const chain = await rpc
    .askEach(async (node) => ({
      confirmed: await node.getSlot('confirmed'),
      finalized: await node.getSlot('finalized'),
    }))
    .catch(() => undefined);
  const newest = chain && {
    confirmed: Math.max(...chain.map(({ confirmed }) => confirmed)),
    finalized: Math.max(...chain.map(({ finalized }) => finalized)),
    ms: Math.round(performance.now() - began),
  };
  return { nodes: rpc.health(), chain: newest ?? null };
}
