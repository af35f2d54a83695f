import { startApi } from '../support/api.ts';
import type { Bench } from '../support/bench.ts';
import { compare } from '../support/compare.ts';
import { drive } from '../support/load.ts';
import { type OnSale, purchaseOf } from '../support/sale.ts';
import { openScene } from '../support/scene.ts';
import { describeLoad, mustAll, sell } from '../support/sell.ts';

const CALLERS = 256;

export const soldOut: Bench = {
  name: 'sold-out',
  what: 'requests for a ticket type that is sold out ÷ purchases on the route without a database, 256 callers',
  aim: 0.8,
  async run(server, effort, say) {
    const scene = await openScene(server, { capacity: 10 });
    const canned = await startApi(undefined);
    const [sale] = scene.sales as [OnSale];
    const tokens = scene.tokens.get(sale.tenantId) as string[];
    const storm = async (seconds: number): Promise<number> => {
      const load = await drive(scene.api, {
        callers: CALLERS,
        seconds,
        next: (caller) => purchaseOf(sale, tokens[caller % tokens.length] as string),
      });
      mustAll(load, '201', '409 sold_out');
      say(describeLoad(load, CALLERS));
      return load.rate;
    };
    try {
      return await compare(
        effort,
        [scene.database],
        storm,
        (seconds) => sell(canned, scene.sales, scene.tokens, { callers: CALLERS, seconds, say }),
        say,
      );
    } finally {
      await canned.stop();
      await scene.end();
    }
  },
};
