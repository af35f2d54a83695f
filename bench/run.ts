import { parseArgs } from 'node:util';
import { backfill } from './benches/backfill.ts';
import { background } from './benches/background.ts';
import { collapse } from './benches/collapse.ts';
import { growth } from './benches/growth.ts';
import { idempotencyTax } from './benches/idempotency-tax.ts';
import { listener } from './benches/listener.ts';
import { mintBuild } from './benches/mint-build.ts';
import { mintPipeline } from './benches/mint-pipeline.ts';
import { mintSign } from './benches/mint-sign.ts';
import { outbox } from './benches/outbox.ts';
import { purchaseHot } from './benches/purchase-hot.ts';
import { purchaseHttp } from './benches/purchase-http.ts';
import { purchaseSpread } from './benches/purchase-spread.ts';
import { replay } from './benches/replay.ts';
import { rlsTax } from './benches/rls-tax.ts';
import { seatHold } from './benches/seat-hold.ts';
import { soldOut } from './benches/sold-out.ts';
import { type Bench, type Result, summarize } from './support/bench.ts';
import { type BenchServer, findServer } from './support/postgres.ts';

/** `npm run bench -- [NAME …] [--quick] [--json]`: ratios from one run, so that a slow machine slows both sides. */
const benches: Bench[] = [
  purchaseHot,
  purchaseHttp,
  collapse,
  purchaseSpread,
  soldOut,
  rlsTax,
  idempotencyTax,
  replay,
  seatHold,
  mintBuild,
  mintSign,
  growth,
  mintPipeline,
  outbox,
  background,
  listener,
  backfill,
];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'boolean', default: false }, quick: { type: 'boolean', default: false } },
});
const unknown = positionals.filter((name) => !benches.some((bench) => bench.name === name));
if (unknown.length > 0) {
  console.error(
    `There is no benchmark ${unknown.join(', ')}. There are ${benches.map(({ name }) => name).join(', ')}.`,
  );
  process.exit(2);
}
const chosen = benches.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
const effort = values.quick
  ? { rounds: 3, seconds: 3, quick: true }
  : { rounds: 5, seconds: 6, quick: false };
const say = (line: string): void => {
  if (!values.json) console.log(line);
};

const server = await findServer();
const results: Result[] = [];
for (const bench of chosen) {
  say(`\n${bench.name}: ${bench.what}`);
  const result = await measure(server, bench);
  results.push(result);
  if (values.json) console.log(JSON.stringify(result));
}
await server.stop();
if (!values.json) {
  console.log();
  console.table(
    results.map(({ name, ratio, min, max, aim, ok }) => ({
      name,
      ratio,
      min,
      max,
      aim: `≥ ${aim}`,
      reached: ok ? 'yes' : 'no',
    })),
  );
}
process.exit(results.every(({ ok }) => ok) ? 0 : 1);

/** Books that turn out wrong make the result 0: a fast sale that is not right is worth nothing. */
async function measure(server: BenchServer, bench: Bench): Promise<Result> {
  try {
    return summarize(bench, await bench.run(server, effort, say));
  } catch (error) {
    console.error(`${bench.name}: ${(error as Error).message}`);
    return summarize(bench, [0]);
  }
}
