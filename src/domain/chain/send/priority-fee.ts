import type { Rpc } from '../rpc/rpc.ts';

const MAIN_NETWORK = '5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d';
/** A tenth of a lamport: 4,000 lamports for the 40,000 units of a mint, less than its signatures cost. */
const MAIN_NETWORK_CEILING = 100_000;
/** Three of four transactions of late were taken for so much or less. */
const PERCENTILE = 0.75;

/** The most that is paid for a unit of compute, in micro-lamports: as configured, else nothing but on the main network. */
export function priorityCeiling(configured: number | undefined, genesisHash: string): number {
  return configured ?? (genesisHash === MAIN_NETWORK ? MAIN_NETWORK_CEILING : 0);
}

/**
 * What a unit of compute is worth now, in micro-lamports, by what was paid in the last slots by transactions that write to
 * these accounts, and never more than `ceiling`. Nothing is asked where nothing would be paid.
 * @throws DomainError unavailable
 */
export async function readPriorityFee(
  rpc: Rpc,
  accounts: readonly string[],
  ceiling: number,
): Promise<number> {
  if (ceiling === 0) return 0;
  const fees = await rpc.ask((node) => node.getPriorityFees(accounts));
  return Math.min(percentile(fees, PERCENTILE), ceiling);
}

function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(Math.floor(sorted.length * share), sorted.length - 1)] ?? 0;
}
