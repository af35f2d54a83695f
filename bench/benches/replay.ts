import { randomUUID } from 'node:crypto';
import type { Bench } from '../support/bench.ts';
import { compare } from '../support/compare.ts';
import { drive } from '../support/load.ts';
import { type OnSale, purchaseOf } from '../support/sale.ts';
import { openScene } from '../support/scene.ts';
import { describeLoad, mustAll, sell } from '../support/sell.ts';

const KEYS = 2_000;

export const replay: Bench = {
  name: 'replay',
  what: 'purchases asked for again under their keys ÷ purchases, 64 callers',
  aim: 1.2,
  async run(server, effort, say) {
    const scene = await openScene(server);
    const [sale] = scene.sales as [OnSale];
    const tokens = scene.tokens.get(sale.tenantId) as string[];
    const keys = Array.from({ length: KEYS }, () => randomUUID());
    const calls = keys.map((key, i) => purchaseOf(sale, tokens[i % tokens.length] as string, key));
    let turn = 0;
    const again = async (seconds: number): Promise<number> => {
      const load = await drive(scene.api, {
        callers: 64,
        seconds,
        next: () => calls[turn++ % KEYS] as (typeof calls)[0],
      });
      mustAll(load, '201');
      say(describeLoad(load, 64));
      return load.rate;
    };
    try {
      await again(KEYS / 1_000);
      const ratios = await compare(
        effort,
        [scene.database],
        again,
        (seconds) => sell(scene.api, scene.sales, scene.tokens, { callers: 64, seconds, say }),
        say,
      );
      const { rows } = await scene.database.owner.query<{ n: bigint }>(
        'select count(*) as n from idempotency_keys where key = any ($1)',
        [keys],
      );
      if (Number(rows[0]?.n) !== Math.min(turn, KEYS)) throw new Error('a key was sold to more than once');
      return ratios;
    } finally {
      await scene.end();
    }
  },
};
