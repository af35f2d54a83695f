import { afterAll, beforeAll, expect, it } from 'vitest';
import { type ChainWorld, createChainWorld } from '../support/chain-world.ts';
import { type Child, runChild } from '../support/run-child.ts';
import { buy, openSale } from '../support/samples.ts';
import { LOCAL_PROGRAM_ID } from '../support/test-context.ts';

let world: ChainWorld;
const children: Child[] = [];

beforeAll(async () => {
  world = await createChainWorld();
  world.startWorker();
});
afterAll(async () => {
  for (const child of children) await child.stop('SIGKILL');
  await world.close();
});

const query = async (text: string, values: unknown[] = []) =>
  (await world.ctx.database.owner.query(text, values)).rows;

function startProcess(): Child {
  const child = runChild('listener/main.ts', {
    DATABASE_LISTENER_URL: world.ctx.database.url('tessera_listener'),
    CHAIN_RPC_URL: world.proxy.url,
    CHAIN_WS_URL: world.chain.wsUrl,
    CHAIN_PROGRAM_ID: LOCAL_PROGRAM_ID,
  });
  children.push(child);
  return child;
}

const untilActive = (id: string) =>
  world.until('the ticket', async () => {
    const [row] = await query('select status from tickets where id = $1', [id]);
    return row.status === 'active';
  });
/** The process whose heartbeat tells of the chain. */
const leader = (besides?: Child) =>
  world.until('a leader', async () => {
    const rows = await query(
      `select instance from worker_heartbeats where worker = 'listener' and details ? 'lagSlots'
       and beat_at > now() - interval '4 seconds' order by beat_at desc`,
    );
    const pids = rows.map(({ instance }) => Number(instance.split('-')[0]));
    return children.find((child) => child !== besides && pids.includes(child.pid));
  });

it('another process takes over within ten seconds of a kill -9, and each entry is applied once', async () => {
  const sale = await openSale(world.tenant, { type: { capacity: 1_000 } });
  startProcess();
  startProcess();
  const tickets: string[] = [];
  const buyOne = async () => {
    const id = (await buy(world.tenant.alice, sale.type)).tickets[0]?.id ?? '';
    tickets.push(id);
    return id;
  };
  await untilActive(await buyOne());
  const first = await leader();
  const standby = await query(`select from worker_heartbeats where details ? 'standby'`);
  expect(standby).toHaveLength(1);

  await first.stop('SIGKILL');
  const killed = performance.now();
  await untilActive(await buyOne());
  expect(performance.now() - killed).toBeLessThan(10_000);
  const second = await leader(first);

  // The database forgets everybody; the listener goes on by itself.
  await query(
    `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'tessera-listener' and datname = current_database()`,
  );
  await untilActive(await buyOne());
  expect(await second.stop('SIGTERM')).toBe(0);

  for (const id of tickets) {
    const steps = await query(
      'select to_status from ticket_state_transitions where ticket_id = $1 order by version',
      [id],
    );
    expect(steps.map(({ to_status }) => to_status)).toEqual(['sold', 'minting', 'active']);
    expect(await query('select from blockchain_sync where ticket_id = $1', [id])).toHaveLength(1);
  }
}, 60_000);

it('a wrong chain is one sentence, and the end', async () => {
  const child = runChild('listener/main.ts', {
    DATABASE_LISTENER_URL: world.ctx.database.url('tessera_listener'),
    CHAIN_RPC_URL: world.proxy.url,
    CHAIN_WS_URL: world.chain.wsUrl,
    CHAIN_PROGRAM_ID: LOCAL_PROGRAM_ID,
    CHAIN_GENESIS_HASH: 'GenesisOfAnotherChain11111111111111111111111',
    LOG_LEVEL: 'silent',
  });
  children.push(child);
  expect(await child.ended).toBe(1);
  expect(child.output().trim().split('\n')).toHaveLength(1);
  expect(child.output()).toMatch(/serves the chain with the genesis hash .* and ours is Genesis/);
});
