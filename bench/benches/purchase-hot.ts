import type { Bench } from '../support/bench.ts';
import { compare } from '../support/compare.ts';
import { runPgbench } from '../support/pgbench.ts';
import { openNaiveScene, openScene, readScript } from '../support/scene.ts';
import { sell } from '../support/sell.ts';

export const purchaseHot: Bench = {
  name: 'purchase-hot',
  what: 'paid purchases over HTTP of one ticket type, 256 callers ÷ pgbench with the same writes, naive, 16 clients',
  aim: 10,
  async run(server, effort, say) {
    const scene = await openScene(server);
    const naive = await openNaiveScene(server);
    const script = await readScript('naive-purchase');
    try {
      return await compare(
        effort,
        [scene.database, naive.database],
        (seconds) => sell(scene.api, scene.sales, scene.tokens, { callers: 256, seconds, say }),
        (seconds) =>
          runPgbench(naive.database.url('tessera_app'), {
            script,
            clients: 16,
            seconds,
            variables: naive.variables,
          }),
        say,
      );
    } finally {
      await naive.end();
      await scene.end();
    }
  },
};
