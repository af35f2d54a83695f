import type pg from 'pg';
import { uuidOf } from '../../../src/platform/ids.ts';
import type { FakeChain } from '../../support/fake-chain/start-fake-chain.ts';

/** What is still under way, by name; at rest all of it is 0. */
export type Open = Record<string, number>;

/** What must not be, by name, each with some examples. */
export type Faults = Record<string, string[]>;

export async function countOpen(owner: pg.Pool): Promise<Open> {
  const { rows } = await owner.query<Record<string, string>>(`
    select (select count(*) from outbox) as outbox,
      (select count(*) from failed_messages where parked_at is null) as retries,
      (select count(*) from pending_transactions where status in ('prepared', 'submitted', 'confirmed')) as transactions,
      (select count(*) from tickets where status in ('sold', 'minting') and blockchain_sync_status <> 'parked') as unminted,
      (select count(*) from tickets where blockchain_sync_status in ('pending', 'provisional')
        -- What was revoked after a fork took its mint back is never minted again.
        and not (status in ('revoked', 'refunded', 'cancelled', 'expired') and chain_version is null)) as unsettled,
      (select count(*) from blockchain_sync where commitment = 'provisional') as provisional,
      (select count(*) from transfers where status = 'requested') as transfers,
      (select count(*) from orders where status = 'pending') as orders`);
  return Object.fromEntries(Object.entries(rows[0] ?? {}).map(([name, count]) => [name, Number(count)]));
}

type TicketRow = {
  id: string;
  status: string;
  sync: string;
  account: string | null;
  owner: string | null;
  version: number | null;
  parked: boolean;
};

/** Every ticket of the database against the finalized chain, and the chain against the database. */
export async function compareBooks(owner: pg.Pool, chain: FakeChain): Promise<Faults> {
  const { rows } = await owner.query<TicketRow>(
    `select t.id, t.status, t.blockchain_sync_status as sync, t.chain_account as account, t.owner_wallet as owner,
       t.chain_version as version,
       exists (select from parked_jobs p where p.tenant_id = t.tenant_id and p.ticket_id = t.id) as parked
     from tickets t`,
  );
  const truth = new Map<string, ReturnType<typeof chain.truth.tickets>>();
  for (const ticket of chain.truth.tickets()) {
    const id = uuidOf(ticket.ticketId);
    truth.set(id, [...(truth.get(id) ?? []), ticket]);
  }
  const faults: Faults = {
    'minted twice': [...chain.truth.mints()].filter(([, times]) => times > 1).map(([id]) => id),
    'two accounts of one ticket': [...truth].filter(([, all]) => all.length > 1).map(([id]) => id),
    'on the chain, unknown here': [],
    'lost: neither minted nor parked': [],
    'owner differs': [],
    'state differs': [],
  };
  const known = new Set(rows.map(({ id }) => id));
  for (const id of truth.keys()) if (!known.has(id)) faults['on the chain, unknown here']?.push(id);
  for (const row of rows) {
    const [found] = truth.get(row.id) ?? [];
    const named = `${row.id} ${row.status} ${row.sync} version ${row.version}, on the chain ${found?.status} ${found?.version}`;
    if (!found) {
      const isOver = ['revoked', 'refunded', 'cancelled', 'expired'].includes(row.status);
      if (!row.parked && !(isOver && row.version === null))
        faults['lost: neither minted nor parked']?.push(named);
      continue;
    }
    if (row.owner !== found.holder || row.account !== found.address) faults['owner differs']?.push(named);
    if (row.version !== found.version || !agree(row.status, found.status))
      faults['state differs']?.push(named);
  }
  return faults;
}

function agree(here: string, there: string): boolean {
  return here === there || (there === 'revoked' && ['refunded', 'cancelled'].includes(here));
}

export const isClean = (faults: Faults): boolean =>
  Object.values(faults).every((found) => found.length === 0);
