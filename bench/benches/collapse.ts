import type { Bench } from '../support/bench.ts';
import { compare } from '../support/compare.ts';
import { openScene } from '../support/scene.ts';
import { sell } from '../support/sell.ts';

export const collapse: Bench = {
  name: 'collapse',
  what: 'paid purchases over HTTP of one ticket type, 1,024 callers ÷ 64 callers',
  aim: 1,
  async run(server, effort, say) {
    const scene = await openScene(server);
    const by = (callers: number) => (seconds: number) =>
      sell(scene.api, scene.sales, scene.tokens, { callers, seconds, say });
    try {
      return await compare(effort, [scene.database], by(1_024), by(64), say);
    } finally {
      await scene.end();
    }
  },
};
