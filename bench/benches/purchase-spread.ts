import type { Bench } from '../support/bench.ts';
import { compare } from '../support/compare.ts';
import { runPgbench } from '../support/pgbench.ts';
import { openNaiveScene, openScene, readScript } from '../support/scene.ts';
import { sell } from '../support/sell.ts';

const SPREAD = { tenants: 50, types: 20 };

export const purchaseSpread: Bench = {
  name: 'purchase-spread',
  what: 'paid purchases over HTTP of 1,000 ticket types of 50 tenants, 256 callers ÷ pgbench, our own functions one by one, 16 clients',
  aim: 1,
  async run(server, effort, say) {
    const scene = await openScene(server, SPREAD);
    const naive = await openNaiveScene(server, SPREAD);
    const { owner } = naive.database;
    await owner.query(
      `create table bench_types as select row_number() over ()::integer as at, tenant_id, event_id, ticket_type_id from inventory;
       create unique index on bench_types (at); grant select on bench_types to tessera_app; analyze bench_types`,
    );
    const script = await readScript('one-round-trip');
    const variables = { types: String(naive.sales.length) };
    try {
      return await compare(
        effort,
        [scene.database, naive.database],
        (seconds) => sell(scene.api, scene.sales, scene.tokens, { callers: 256, seconds, say }),
        (seconds) =>
          runPgbench(naive.database.url('tessera_app'), { script, clients: 16, seconds, variables }),
        say,
      );
    } finally {
      await naive.end();
      await scene.end();
    }
  },
};
