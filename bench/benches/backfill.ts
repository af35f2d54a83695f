import { setTimeout as delay } from 'node:timers/promises';
import { newId } from '../../src/platform/ids.ts';
import { type Child, runChild } from '../../test/support/run-child.ts';
import type { Bench } from '../support/bench.ts';
import { type MovingChain, type Opened, startMovingChain } from '../support/moving-chain.ts';
import type { BenchDatabase } from '../support/postgres.ts';
import { openTenants } from '../support/sale.ts';

const TICKETS = 2_000;
const DROPPED = 0.05;
/** What was missed, in moves. */
const MISSED = { full: 12_000, quick: 4_000 };
/** Live means that 95 % of the moves are in the database so long after they were sent. */
const LONGEST_LAG_MS = 2_000;
/** The chain waits when a move is older than this; where the listener still falls behind, once more with less. */
const PACES_MS = [1_200, 700, 400];
const RAMP_SECONDS = 2;
const LOOK_EVERY_MS = 25;
const LONGEST_MS = 120_000;

/**
 * Live is the rate at which moves are applied while the chain makes them as fast as it runs transactions, with longer
 * breaths the further the listener is behind. It ends up well within two seconds, so a chain on cores of its own would
 * bring more: the chain bounds this side. What was missed is there already and only has to be read; each start of
 * the listener costs it a boot, and a second look at the 64 slots before its cursor.
 */
export const backfill: Bench = {
  name: 'backfill',
  what: `changes of hands a second that a listener applies which was away and is killed (-9) half-way, its start and its restart included ÷ as many as come while it follows within ${LONGEST_LAG_MS / 1_000} s, ${DROPPED * 100} % of the notifications dropped`,
  aim: 3,
  async run(server, effort, say) {
    const database = await server.openDatabase();
    const chain = await startMovingChain(DROPPED);
    let listener: Child | undefined;
    try {
      const opened = await sellTickets(database, chain);
      const start = (): Child => {
        listener = runChild('listener/main.ts', {
          DATABASE_LISTENER_URL: database.url('tessera_listener'),
          CHAIN_RPC_URL: opened.rpcUrl,
          CHAIN_WS_URL: opened.wsUrl,
          CHAIN_PROGRAM_ID: opened.programId,
          LOG_LEVEL: 'error',
        });
        return listener;
      };
      listener = start();
      await until(database, 0);
      await checkBooks(database, chain);
      await database.owner.query('vacuum analyze');
      const ratios: number[] = [];
      // The first round warms up.
      for (let round = 0; round <= effort.rounds; round++) {
        const live = await followClosely(database, chain, effort.seconds);
        await until(database, live.moved);
        await listener.stop('SIGKILL');
        const { moved } = await chain.move(effort.quick ? MISSED.quick : MISSED.full);
        const filled = await fill(database, { from: live.moved, to: moved }, start);
        await checkBooks(database, chain);
        const lag = `half within ${live.lagMs[0]} ms, 95 % within ${live.lagMs[1]} ms`;
        say(
          `${round === 0 ? 'warming up' : `round ${round}`}: ${filled.rate.toFixed(0)}/s (${filled.applying.toFixed(0)}/s while it ran) ÷ ${live.rate.toFixed(0)}/s (${lag}) = ${(filled.rate / live.rate).toFixed(2)}`,
        );
        if (round > 0) ratios.push(filled.rate / live.rate);
      }
      say(
        'live is bound by the chain, which runs transactions on one core; what was missed by the listener, which reads and checks them on one, and by its two starts',
      );
      return ratios;
    } finally {
      await listener?.stop('SIGKILL');
      await chain.close();
      await database.drop();
    }
  },
};

/** Tickets on their way to the chain, and their mints on it. */
async function sellTickets({ owner, ...database }: BenchDatabase, chain: MovingChain): Promise<Opened> {
  const [tenantId] = (await openTenants({ owner, ...database }, 1)) as [string];
  const eventId = newId();
  const ticketIds = Array.from({ length: TICKETS }, newId);
  const opened = await chain.open({ tenantId, eventId, ticketIds });
  await owner.query(
    `insert into events (tenant_id, id, title, venue, starts_at, ends_at, currency, created_at, updated_at)
     values ($1, $2, 'A night', 'The Forum', now() + interval '1 day', now() + interval '2 days', 'EUR', now(), now())`,
    [tenantId, eventId],
  );
  await owner.query(
    `insert into chain_events (tenant_id, event_id, address, max_supply, registered_at) values ($1, $2, $3, $4, now())`,
    [tenantId, eventId, opened.event, TICKETS],
  );
  const rows = ticketIds.map((id, index) => ({ id, index, account: opened.accounts[index] }));
  const client = await owner.connect();
  // Without the trigger that keeps the history: what is measured begins later.
  await client.query('begin; set local session_replication_role = replica');
  await client.query(
    `insert into tickets (tenant_id, id, event_id, ticket_type_id, order_id, user_id, ticket_number, holder_name, status,
       status_actor, price_minor, currency, version, chain_account, chain_index, blockchain_sync_status, created_at, updated_at)
     select $1, n.id, $2, $3, n.id, 'buyer-' || n.index, 'T-' || n.index, 'Ada Example', 'minting', 'bench', 2500,
       'EUR', 2, n.account, n.index, 'pending', now(), now()
     from json_to_recordset($4::json) as n(id uuid, index integer, account text)`,
    [tenantId, eventId, newId(), JSON.stringify(rows)],
  );
  await client.query('commit');
  client.release();
  return opened;
}

/** Moves that the tickets have seen; -1 while some are not minted. */
async function movesIn({ owner }: BenchDatabase): Promise<number> {
  const { rows } = await owner.query(
    'select (sum(coalesce(chain_version, 0)) - count(*))::integer as moves from tickets',
  );
  return rows[0].moves;
}

async function until(database: BenchDatabase, moves: number): Promise<void> {
  const end = performance.now() + LONGEST_MS;
  for (;;) {
    const now = await movesIn(database);
    if (now >= moves) return;
    if (performance.now() > end) throw new Error(`${moves - now} changes of hands were not applied`);
    await delay(LOOK_EVERY_MS);
  }
}

type Live = { rate: number; moved: number; lagMs: [number, number] };

async function followClosely(database: BenchDatabase, chain: MovingChain, seconds: number): Promise<Live> {
  for (const pace of PACES_MS) {
    const live = await follow(database, chain, seconds, pace);
    if (live.lagMs[1] <= LONGEST_LAG_MS) return live;
    await until(database, live.moved);
  }
  throw new Error('the listener does not follow, however slowly the chain goes');
}

/** Moves applied a second while the chain goes on, after it has found its pace. */
async function follow(
  database: BenchDatabase,
  chain: MovingChain,
  seconds: number,
  pace: number,
): Promise<Live> {
  const moving = chain.follow(pace);
  const watch = async (ms: number): Promise<{ at: number; moves: number }> => {
    const end = performance.now() + ms;
    for (;;) {
      const moves = await movesIn(database);
      const at = performance.now();
      chain.applied(moves);
      if (at >= end) return { at, moves };
      await delay(LOOK_EVERY_MS);
    }
  };
  const began = await watch(RAMP_SECONDS * 1_000);
  const ended = await watch(seconds * 1_000);
  chain.stop();
  const { moved, lags } = await moving;
  lags.sort((a, b) => a - b);
  const [half = 0, most = 0] = [0.5, 0.95].map((part) =>
    Math.round(lags[Math.floor(lags.length * part)] ?? 0),
  );
  if (lags.length === 0) throw new Error('the listener applied nothing while the chain went on');
  const rate = ((ended.moves - began.moves) / (ended.at - began.at)) * 1_000;
  return { rate, moved, lagMs: [half, most] };
}

/** Starts the listener, kills it half-way, starts it again, until it has caught up. */
async function fill(
  database: BenchDatabase,
  { from, to }: { from: number; to: number },
  start: () => Child,
): Promise<{ rate: number; applying: number }> {
  const half = Math.ceil((from + to) / 2);
  const began = performance.now();
  const first = start();
  await until(database, from + 1);
  const running = performance.now();
  await until(database, half);
  const killed = performance.now();
  await first.stop('SIGKILL');
  const atKill = await movesIn(database);
  start();
  await until(database, Math.min(atKill + 1, to));
  const again = performance.now();
  await until(database, to);
  const ended = performance.now();
  const applying = killed - running + (ended - again);
  return { rate: ((to - from) / (ended - began)) * 1_000, applying: ((to - from) / applying) * 1_000 };
}

/** Nothing lost and nothing twice: each ticket is where the chain has it, by one entry for each of its versions. */
async function checkBooks({ owner }: BenchDatabase, chain: MovingChain): Promise<void> {
  const { tickets, failed } = await chain.truth();
  if (failed > 0 || tickets.length !== TICKETS)
    throw new Error(`the chain has ${tickets.length} tickets, and ${failed} transactions failed`);
  const { rows } = await owner.query<Record<string, number>>(
    `select count(*) filter (where t.chain_version is distinct from n.version or t.owner_wallet is distinct from n.holder)::integer as elsewhere,
       count(*) filter (where e.entries is distinct from n.version or e.versions is distinct from n.version)::integer as not_once,
       (select count(*)::integer from blockchain_sync where outcome <> 'applied') as otherwise,
       (select count(*)::integer from chain_quarantine) as aside
     from json_to_recordset($1::json) as n(account text, holder text, version integer)
     left join tickets t on t.chain_account = n.account
     left join (select ticket_id, count(*) as entries, count(distinct chain_version) as versions from blockchain_sync group by 1) e
       on e.ticket_id = t.id`,
    [JSON.stringify(tickets)],
  );
  const wrong = Object.entries(rows[0] ?? {}).filter(([, count]) => count !== 0);
  if (wrong.length > 0) throw new Error(wrong.map(([what, count]) => `${count} ${what}`).join(', '));
}
