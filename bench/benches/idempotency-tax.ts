import type { Bench } from '../support/bench.ts';
import { compare } from '../support/compare.ts';
import type { BenchDatabase } from '../support/postgres.ts';
import { openScene } from '../support/scene.ts';
import { sell } from '../support/sell.ts';

export const idempotencyTax: Bench = {
  name: 'idempotency-tax',
  what: 'paid purchases over HTTP with idempotency keys ÷ without, 64 callers',
  aim: 0.85,
  async run(server, effort, say) {
    const keyed = await openScene(server);
    const keyless = await openScene(server, { prepare: forgetKeys });
    const on = (scene: typeof keyed) => (seconds: number) =>
      sell(scene.api, scene.sales, scene.tokens, { callers: 64, seconds, say });
    try {
      return await compare(effort, [keyed.database, keyless.database], on(keyed), on(keyless), say);
    } finally {
      await keyless.api.stop();
      await keyless.database.drop();
      await keyed.end();
    }
  },
};

/** Each statement of the selling functions that reads or writes a key, and what is left without it. */
const CUTS: [string, RegExp, string][] = [
  [
    'earlier_outcomes',
    /select \* from idempotency_keys\s+where[^)]*offset 0\) k on true/,
    'select * from idempotency_keys where false offset 0) k on true',
  ],
  [
    'place_orders',
    /insert into idempotency_keys [^;]*from due d;/,
    'insert into payments select from due where false;',
  ],
  ['place_orders', /insert into idempotency_keys [^;]*where v_outcomes\[r\.n\] = 'sold';/, ''],
  [
    'settle_orders',
    /select ctid from idempotency_keys where [^)]* limit 1\) k on true/,
    'select null::tid as ctid) k on true',
  ],
  ['settle_orders', /, stored as \(\s+update idempotency_keys k.*?k\.status is null\s+\)/s, ''],
];

async function forgetKeys({ owner }: BenchDatabase): Promise<void> {
  for (const [name, cut, rest] of CUTS) {
    const { rows } = await owner.query<{ text: string }>(
      'select pg_get_functiondef(oid) as text from pg_proc where proname = $1',
      [name],
    );
    const text = rows[0]?.text ?? '';
    if (!cut.test(text)) throw new Error(`${name} is no longer what this benchmark cuts: ${cut}`);
    await owner.query(text.replace(cut, rest));
  }
}
