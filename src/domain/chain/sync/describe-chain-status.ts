import type { ChainStatus } from './read-chain-status.ts';
import type { NodeStatus } from './read-nodes.ts';

/** Ages from which on somebody has to look, in seconds. */
const LATE = { lag: 60, backlog: 600, pending: 300, audit: 3 * 3_600 };

/** The status in lines for people, and what of it needs somebody, a sentence each. Pure. */
export function describeChainStatus(status: ChainStatus & NodeStatus): {
  lines: string[];
  troubles: string[];
} {
  const { cluster, chain, nodes, backlog, pending, quarantine, orphans, audit, parked, payers } = status;
  const leader = status.listeners.find(({ details }) => !('standby' in details));
  const standbys = status.listeners.filter(({ details }) => 'standby' in details).length;
  const lag = leader?.details as { lagSlots?: number; lagSeconds?: number } | undefined;
  const lines = [
    line('cluster', cluster ? `${cluster.genesisHash}, program ${cluster.programId}` : 'none yet'),
    line('chain', chain ? `slot ${chain.confirmed}, final ${chain.finalized}` : 'no node answers'),
    ...nodes.map(({ name, state, reason }) => line('node', `${name}: ${reason ?? state.replace('_', ' ')}`)),
    line('cursor', cluster?.cursorSlot ? `slot ${cluster.cursorSlot}` : 'none yet'),
    line('listener', leader ? `leads, ${standbys} standing by` : `none leads, ${standbys} standing by`),
    line('lag', lag?.lagSlots === undefined ? 'not known' : `${lag.lagSlots} slots, ${lag.lagSeconds} s`),
    line('backlog', `${backlog.waiting} tickets${since(backlog.oldestSeconds)}, ${backlog.parked} parked`),
    line('parked', `${parked.count} jobs`),
    ...parked.newest.map(({ purpose, ticketId, reason }) => line('', `${purpose} of ${ticketId}: ${reason}`)),
    ...payers.map(({ name, address, balance, inFlight, low }) =>
      line(name, `${address}: ${toSol(balance)}, ${inFlight} under way${low ? ', short of money' : ''}`),
    ),
    line(
      'transactions',
      `${pending.prepared} prepared, ${pending.submitted} sent${since(pending.oldestSeconds)}, ` +
        `${pending.confirmed} confirmed, highest attempt ${pending.highestAttempt}`,
    ),
    line('quarantine', `${quarantine.tried} tried again, ${quarantine.givenUp} given up`),
    ...quarantine.newest.map(({ signature, reason }) => line('', `${signature}: ${reason}`)),
    line('orphans', `${orphans} within a day`),
    line(
      'audit',
      audit
        ? `${age(audit.ageSeconds)} ago: ${audit.tickets} tickets, ${audit.corrected} corrected, ` +
            `${audit.missing} missing, ${audit.unknown} unknown`
        : 'none yet',
    ),
  ];
  const troubles = findTroubles(status, leader !== undefined, lag);
  return { lines: [...lines, '', ...(troubles.length > 0 ? troubles : ['All is well.'])], troubles };
}

function findTroubles(
  { chain, nodes, backlog, pending, quarantine, audit, parked, payers }: ChainStatus & NodeStatus,
  leads: boolean,
  lag: { lagSeconds?: number } | undefined,
): string[] {
  const troubles: [boolean, string][] = [
    [chain === null, 'No node answers.'],
    [nodes.some(({ state }) => state === 'wrong_chain'), 'A node serves another chain.'],
    [!leads, 'No listener works.'],
    [(lag?.lagSeconds ?? 0) > LATE.lag, 'The listener lags behind the chain.'],
    [(backlog.oldestSeconds ?? 0) > LATE.backlog, 'A ticket has waited for its mint for long.'],
    [parked.count > 0, `${parked.count} jobs are parked; npm run chain:resume asks for them again.`],
    [payers.some(({ low }) => low), `Short of money: ${listLow(payers)}.`],
    [(pending.oldestSeconds ?? 0) > LATE.pending, 'A transaction was sent long ago and is not confirmed.'],
    [
      quarantine.givenUp > 0,
      `${quarantine.givenUp} transactions were given up; npm run chain:retry tries them again.`,
    ],
    [(audit?.missing ?? 0) > 0, `${audit?.missing} tickets that were final are not on the chain.`],
    [(audit?.unknown ?? 0) > 0, `${audit?.unknown} tickets on the chain are known to nobody here.`],
    [(audit?.ageSeconds ?? 0) > LATE.audit, 'The last audit is old.'],
  ];
  return troubles.filter(([is]) => is).map(([, sentence]) => sentence);
}

function listLow(payers: ChainStatus['payers']): string {
  return payers
    .filter(({ low }) => low)
    .map(({ name, address }) => `${name} (${address})`)
    .join(', ');
}

function toSol(lamports: string | null): string {
  return lamports === null ? 'not known' : `${(Number(lamports) / 1e9).toFixed(3)} SOL`;
}

function line(name: string, text: string): string {
  return `${name.padEnd(14)}${text}`;
}

function since(seconds: number | null): string {
  return seconds === null ? '' : ` (the oldest for ${age(seconds)})`;
}

function age(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`;
  return `${Math.round(seconds / 3_600)} h`;
}
