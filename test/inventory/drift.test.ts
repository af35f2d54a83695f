import { afterAll, beforeAll, expect, it } from 'vitest';
import { createApp } from '../../src/api/app.ts';
import { verifyCounter } from '../../src/domain/inventory/verify-counter.ts';
import { toTenantId } from '../../src/platform/ids.ts';
import { runChild } from '../support/run-child.ts';
import { buy, openSale } from '../support/samples.ts';
import { createTestClock, MINUTE, type TestClock } from '../support/test-clock.ts';
import {
  createTestContext,
  createTestTenant,
  type TestContext,
  type TestTenant,
} from '../support/test-context.ts';

let ctx: TestContext;
let clock: TestClock;
let tenants: TestTenant[];

beforeAll(async () => {
  clock = createTestClock();
  ctx = await createTestContext({ clock });
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

/** A counter that says one more than was sold, looked at as the background service does. */
async function drift(tenant: TestTenant, title: string) {
  const { type } = await openSale(tenant, { event: { title } });
  await buy(tenant.alice, type, { quantity: 2 });
  const look = async (correction: number) => {
    const { rows } = await ctx.database.owner.query(
      'update inventory set sold = sold + $2, issued = issued + 1, version = version + 1 where ticket_type_id = $1 returning version::integer',
      [type.id, correction],
    );
    clock.advance(MINUTE);
    return verifyCounter(ctx, toTenantId(tenant.tenantId), {
      ticketTypeId: type.id,
      version: rows[0].version,
    });
  };
  expect(await look(1)).toBe('drifted');
  return { repair: () => look(-1) };
}

it('is silent as long as every counter equals its rows', async () => {
  for (const tenant of tenants) {
    const { type } = await openSale(tenant);
    await buy(tenant.alice, type);
    await verifyCounter(ctx, toTenantId(tenant.tenantId), { ticketTypeId: type.id, version: 2 });
  }
  expect(await showDrift()).toEqual({ code: 0, output: 'Every counter equals its rows.\n' });
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
  expect(await hamlet.repair()).toBe('proven');
  const rest = await showDrift();
  expect(rest.code).toBe(1);
  expect(rest.output).toContain('Macbeth');
  expect(rest.output).not.toContain('Hamlet');
  await macbeth.repair();
  expect((await showDrift()).code).toBe(0);
});

it('says what it needs', async () => {
  const { code, output } = await showDrift({ DATABASE_RELAY_URL: '' });
  expect(code).toBe(1);
  expect(output).toContain('DATABASE_RELAY_URL is not set; the drift process needs it.');
});
