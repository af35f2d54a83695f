import type { Bench } from '../support/bench.ts';
import { compare } from '../support/compare.ts';
import type { BenchDatabase } from '../support/postgres.ts';
import { openScene } from '../support/scene.ts';
import { sell } from '../support/sell.ts';

export const rlsTax: Bench = {
  name: 'rls-tax',
  what: 'paid purchases over HTTP with row-level security ÷ without, 64 callers',
  aim: 0.92,
  async run(server, effort, say) {
    const guarded = await openScene(server);
    const open = await openScene(server, { prepare: takeOffSecurity });
    const on = (scene: typeof open) => (seconds: number) =>
      sell(scene.api, scene.sales, scene.tokens, { callers: 64, seconds, say });
    try {
      return await compare(effort, [guarded.database, open.database], on(guarded), on(open), say);
    } finally {
      await open.end();
      await guarded.end();
    }
  },
};

async function takeOffSecurity({ owner }: BenchDatabase): Promise<void> {
  const { rows } = await owner.query<{ name: string }>(
    `select c.oid::regclass::text as name from pg_class c where c.relrowsecurity and c.relnamespace = 'public'::regnamespace`,
  );
  for (const { name } of rows)
    await owner.query(
      `alter table ${name} disable row level security; alter table ${name} no force row level security`,
    );
  if (rows.length === 0) throw new Error('no table had row-level security');
}
