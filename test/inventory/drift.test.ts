import { afterAll, beforeAll, expect, it } from 'vitest';
import { createApp } from '../../src/api/app.ts';
import { runChild } from '../support/run-child.ts';
import { buy, openSale } from '../support/samples.ts';
import {
  createTestContext,
  createTestTenant,
  type TestContext,
  type TestTenant,
} from '../support/test-context.ts';
import { startWorkers } from '../support/test-workers.ts';

let ctx: TestContext;
let tenants: TestTenant[];

beforeAll(async () => {
  ctx = await createTestContext();
  const app = createApp(ctx);
  tenants = [await createTestTenant(ctx, app, 'One'), await createTestTenant(ctx, app, 'Two')];
});
afterAll(() => ctx.close());

async function showDrift(
  env: Record<string, string> = {},
): Promise<{ code: number | string; output: string }> {
  const urls = {
    DATABASE_URL: ctx.database.url('tessera_app'),
    DATABASE_RELAY_URL: ctx.database.url('tessera_relay'),
  };
  const child = runChild('src/main/show-drift.ts', { ...urls, ...env });
  const code = await child.ended;
  return { code, output: child.output() };
}

/** A counter that says one more than was sold, and nobody has looked. */
async function drift(tenant: TestTenant, title: string) {
  const { type } = await openSale(tenant, { event: { title } });
  await buy(tenant.alice, type, { quantity: 2 });
  const correct = (correction: number) =>
    ctx.database.owner.query(
      'update inventory set sold = sold + $2, issued = issued + 1 where ticket_type_id = $1',
      [type.id, correction],
    );
  await correct(1);
  return { repair: () => correct(-1) };
}

it('is silent as long as every counter equals its rows', async () => {
  for (const tenant of tenants) {
    const { type } = await openSale(tenant);
    await buy(tenant.alice, type);
  }
  expect(await showDrift()).toEqual({ code: 0, output: 'Each of 2 counters equals its rows.\n' });
});

it('shows each counter that was found wrong, of every tenant, until it is found right', async () => {
  const [one, two] = tenants as [TestTenant, TestTenant];
  const hamlet = await drift(one, 'Hamlet');
  const macbeth = await drift(two, 'Macbeth');
  const both = await showDrift();
  expect(both.code).toBe(1);
  const lines = both.output.split('\n').filter((line) => line.includes('Standing'));
  expect(lines).toHaveLength(2);
  for (const [tenant, title] of [
    [one, 'Hamlet'],
    [two, 'Macbeth'],
  ] as const) {
    const line = lines.find((text) => text.includes(title)) ?? '';
    expect(line).toContain(tenant.tenantId);
    expect(
      line
        .match(/│ (\d+) +(?=│)/g)
        ?.slice(-4)
        .map((cell) => Number(cell.slice(2))),
    ).toEqual([3, 2, 0, 0]);
  }
  await hamlet.repair();
  const rest = await showDrift();
  expect(rest.code).toBe(1);
  expect(rest.output).toContain('Macbeth');
  expect(rest.output).not.toContain('Hamlet');
  await macbeth.repair();
  expect((await showDrift()).code).toBe(0);
});

it('is found by the background service with the next sale, counted and recorded', async () => {
  const [tenant] = tenants as [TestTenant];
  const workers = await startWorkers(ctx);
  try {
    const { type } = await openSale(tenant);
    await ctx.database.owner.query('update inventory set held = held + 1 where ticket_type_id = $1', [
      type.id,
    ]);
    await buy(tenant.alice, type);
    const found = await workers.until('the drift', async () => {
      const { rows } = await ctx.database.owner.query(
        'select counter_sold, rows_sold, counter_held, rows_held from capacity_drift where ticket_type_id = $1',
        [type.id],
      );
      return rows[0];
    });
    expect(found).toEqual({ counter_sold: 1, rows_sold: 1, counter_held: 1, rows_held: 0 });
    await workers.until(
      'the metric',
      async () => ((await ctx.metrics.capacityDrift.get()).values[0]?.value ?? 0) >= 1,
    );
    await ctx.database.owner.query('update inventory set held = held - 1 where ticket_type_id = $1', [
      type.id,
    ]);
  } finally {
    await workers.stop();
  }
  expect((await showDrift()).code).toBe(0);
});

it('says why it cannot look', async () => {
  const nowhere = Object.assign(new URL(ctx.database.url('tessera_app')), { pathname: 'no_such_database' });
  const { code, output } = await showDrift({ DATABASE_URL: nowhere.href });
  expect(code).toBe(1);
  expect(output).toContain('database "no_such_database" does not exist');
});

it('says what it needs', async () => {
  const { code, output } = await showDrift({ DATABASE_RELAY_URL: '' });
  expect(code).toBe(1);
  expect(output).toContain('DATABASE_RELAY_URL is not set; the drift process needs it.');
});
