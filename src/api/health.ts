import { createRoute, z } from '@hono/zod-openapi';
import type { AppContext } from '../context.ts';
import { isTrusted } from '../platform/clock.ts';
import { readHeartbeats, STALE_AFTER_MS, workers } from '../platform/heartbeat.ts';
import { createRouter } from '../platform/http/router.ts';
import { answer } from '../platform/http/shapes.ts';

const check = z.object({ ok: z.boolean(), detail: z.string().optional() });
const readiness = z
  .object({ status: z.enum(['ready', 'not_ready']), checks: z.record(z.string(), check) })
  .openapi('Readiness');
type Check = z.infer<typeof check>;

const live = createRoute({
  method: 'get',
  path: '/health/live',
  tags: ['Health'],
  summary: 'The process answers',
  operationId: 'getLiveness',
  description: 'For whoever restarts processes: 200 as long as this one answers at all.',
  security: [],
  responses: { 200: answer(z.object({ status: z.literal('live') }), 'It does') },
});
const ready = createRoute({
  method: 'get',
  path: '/health/ready',
  tags: ['Health'],
  summary: 'Database, bus and every worker are fresh; the cache is told but does not count',
  operationId: 'getReadiness',
  description:
    'For whoever routes requests. 503 names what is not ready; each worker counts by its last heartbeat.',
  security: [],
  responses: { 200: answer(readiness, 'Ready'), 503: answer(readiness, 'Not ready') },
});

export function healthRoutes(ctx: AppContext) {
  let reading: Promise<Record<string, Check>> | undefined;
  /** Everybody may ask, so those who ask at once are told of one look. */
  const readOnce = () => {
    reading ??= readChecks(ctx).finally(() => {
      reading = undefined;
    });
    return reading;
  };
  return createRouter()
    .openapi(live, (c) => c.json({ status: 'live' as const }, 200))
    .openapi(ready, async (c) => {
      const checks = await readOnce();
      const ok = Object.entries(checks).every(([name, { ok }]) => ok || name === 'cache');
      return ok
        ? c.json({ status: 'ready' as const, checks }, 200)
        : c.json({ status: 'not_ready' as const, checks }, 503);
    });
}

async function readChecks(ctx: AppContext): Promise<Record<string, Check>> {
  const checks: Record<string, Check> = {
    bus: { ok: ctx.bus.ready() },
    cache: { ok: await ctx.cache.ping() },
  };
  const skew = ctx.clock.skewMs?.();
  if (ctx.clock.skewMs)
    checks.clock = isTrusted(ctx.clock) ? { ok: true } : { ok: false, detail: describeSkew(skew) };
  try {
    const now = ctx.clock.now().getTime();
    const beats = await readHeartbeats(ctx.db);
    checks.database = { ok: true };
    for (const worker of workers) {
      const age = now - (beats[worker]?.getTime() ?? Number.NEGATIVE_INFINITY);
      checks[worker] = age < STALE_AFTER_MS ? { ok: true } : { ok: false, detail: 'no recent heartbeat' };
    }
  } catch (error) {
    ctx.log.warn({ err: (error as Error).message }, 'readiness: the database does not answer');
    checks.database = { ok: false, detail: 'does not answer' };
  }
  return checks;
}

function describeSkew(skew: number | undefined): string {
  if (skew === undefined) return 'the database has not told the time yet';
  const seconds = Math.abs(skew / 1000).toFixed(1);
  return `this machine is ${seconds} s ${skew > 0 ? 'ahead of' : 'behind'} the database`;
}
