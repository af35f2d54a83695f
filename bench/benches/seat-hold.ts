import { randomUUID } from 'node:crypto';
import type { Bench } from '../support/bench.ts';
import { compare } from '../support/compare.ts';
import { drive } from '../support/load.ts';
import { runPgbench } from '../support/pgbench.ts';
import type { BenchDatabase } from '../support/postgres.ts';
import type { OnSale } from '../support/sale.ts';
import { openNaiveScene, openScene, readScript } from '../support/scene.ts';
import { describeLoad, mustAll } from '../support/sell.ts';

/** Runs of four seats; of ten that are asked for three were asked for a moment ago. */
const RUNS = 60_000;
const OVERLAP = 0.3;
const RECENT = 50;

export const seatHold: Bench = {
  name: 'seat-hold',
  what: 'locks of four seats over HTTP, 30 % of them taken, 256 callers ÷ pgbench, four statements, 16 clients',
  aim: 3,
  async run(server, effort, say) {
    const scene = await openScene(server);
    const naive = await openNaiveScene(server);
    try {
      const [sale] = scene.sales as [OnSale];
      const runs = await putSeats(scene.database, sale);
      await putSeats(naive.database, naive.sales[0] as OnSale);
      await naive.database.owner.query(`
        create table bench_seats as select id, ordinal / 4 as run from seats;
        create index on bench_seats (run); grant select on bench_seats to tessera_app; analyze bench_seats`);
      const tokens = scene.tokens.get(sale.tenantId) as string[];
      const script = await readScript('naive-seat-hold');
      const variables = { ...naive.variables, rows: String(RUNS - 1) };
      let fresh = 0;
      const lock = async (seconds: number): Promise<number> => {
        const load = await drive(scene.api, {
          callers: 256,
          seconds,
          next(caller) {
            const taken = Math.random() < OVERLAP && fresh > RECENT;
            const run = taken ? fresh - 1 - Math.floor(Math.random() * RECENT) : fresh++;
            return {
              path: '/api/seats/lock',
              token: tokens[caller % tokens.length] as string,
              key: randomUUID(),
              body: { eventId: sale.eventId, seatIds: runs[run % RUNS] },
            };
          },
        });
        mustAll(load, '201', '409 seats_unavailable');
        say(describeLoad(load, 256));
        return load.rate;
      };
      const ratios = await compare(
        effort,
        [scene.database, naive.database],
        lock,
        (seconds) =>
          runPgbench(naive.database.url('tessera_app'), { script, clients: 16, seconds, variables }),
        say,
      );
      await checkLocks(scene.database);
      return ratios;
    } finally {
      await naive.end();
      await scene.end();
    }
  },
};

/** Seats in runs of four, written at once: an upload of so many would take longer than the measurement. */
async function putSeats({ owner }: BenchDatabase, sale: OnSale): Promise<string[][]> {
  await owner.query(
    `insert into seats (tenant_id, id, event_id, ticket_type_id, section, row_label, number, row_ordinal, ordinal)
     select $1, gen_random_uuid(), $2, $3, 'S', (i / 4)::text, (i % 4)::text, i / 4, i from generate_series(0, $4::integer * 4 - 1) i`,
    [sale.tenantId, sale.eventId, sale.typeId, RUNS],
  );
  await owner.query('update ticket_types set is_seated = true where id = $1', [sale.typeId]);
  await owner.query('vacuum analyze seats');
  const { rows } = await owner.query<{ ids: string[] }>(
    'select array_agg(id) as ids from seats group by ordinal / 4 order by ordinal / 4',
  );
  return rows.map(({ ids }) => ids);
}

async function checkLocks({ owner }: BenchDatabase): Promise<void> {
  const { rows } = await owner.query<{ twice: bigint; differing: bigint }>(`
    select
      (select count(*) from (select unnest(seat_ids) from holds where state = 'active' group by 1 having count(*) > 1) x) as twice,
      (select count(*) from inventory i where i.held <> (select coalesce(sum(quantity), 0) from holds where state = 'active')) as differing`);
  if (Number(rows[0]?.twice) + Number(rows[0]?.differing) > 0)
    throw new Error(
      `the books are wrong: ${JSON.stringify(rows[0], (_, v) => (typeof v === 'bigint' ? Number(v) : v))}`,
    );
}
