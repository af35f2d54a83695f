import { startApi } from '../support/api.ts';
import type { Bench } from '../support/bench.ts';
import { compare } from '../support/compare.ts';
import { openScene } from '../support/scene.ts';
import { sell } from '../support/sell.ts';

export const purchaseHttp: Bench = {
  name: 'purchase-http',
  what: 'paid purchases over HTTP ÷ the same route without a database, 256 callers',
  aim: 0.5,
  async run(server, effort, say) {
    const scene = await openScene(server);
    const canned = await startApi(undefined);
    try {
      return await compare(
        effort,
        [scene.database],
        (seconds) => sell(scene.api, scene.sales, scene.tokens, { callers: 256, seconds, say }),
        (seconds) => sell(canned, scene.sales, scene.tokens, { callers: 256, seconds, say }),
        say,
      );
    } finally {
      await canned.stop();
      await scene.end();
    }
  },
};
