import { randomInt } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { sleep } from '../../src/platform/retry.ts';
import { Dice } from '../support/fake-chain/dice.ts';
import { runChild } from '../support/run-child.ts';
import { compareBooks, countOpen, type Faults, isClean, type Open } from './support/compare-books.ts';
import { openCustomers } from './support/customers.ts';
import { type Installation, openInstallation } from './support/installation.ts';
import { type Supervisor, supervise } from './support/supervise.ts';

const amqp = inject('amqp');
const redis = inject('redis');

/** `npm run faults -- chain` does it at full length. */
const KILLS = Number(process.env.KILLS ?? 20);
const ORDERS = Number(process.env.ORDERS ?? 40);
/** A short run has short lives. */
const PACE = KILLS < 100 ? 0.5 : 1;
const SEED = Number(process.env.SEED ?? randomInt(1_000_000));
const REST_MS = 60_000;
/** It is waited for longer than allowed, so that the figure is known. */
const PATIENCE_MS = 120_000;
const TIMEOUT_MS = PATIENCE_MS + KILLS * 6_000 + ORDERS * 1_000;

describe.skipIf(amqp === null || redis === null)(
  `${KILLS} kills during ${ORDERS} orders on a chain that forks${amqp && redis ? '' : ' (left out: needs RabbitMQ and Redis)'}`,
  () => {
    let world: Installation;
    let killing: Supervisor | undefined;
    const stopping = new AbortController();

    beforeAll(async () => {
      world = await openInstallation({ seed: SEED, amqp: amqp ?? '', redis: redis ?? '' });
      world.chain.fault({
        drop: 0.2,
        skip: 0.02,
        late: { chance: 0.1, slots: [1, 20] },
        fork: { chance: 0.005, depth: [1, 31] },
      });
      const { honest, liar, behind } = world.chain.nodes;
      honest.fault({
        answers: {
          tooMany: { chance: 0.01, retryAfter: 1 },
          broken: { chance: 0.005, status: 503 },
          cut: { chance: 0.005, when: 'after' },
        },
        notifications: { drop: 0.1, double: 0.1, late: { chance: 0.1, ms: [50, 2_000] } },
      });
      liar.fault({
        lies: { noAccount: 0.2, noStatus: 0.2, noTransaction: 0.2, hiddenSlots: 0.2, finalTooEarly: true },
      });
      behind.fault({ lagSlots: 40 });
    }, 60_000);
    afterAll(async () => {
      // Also after a failure in the middle nothing of it stays behind.
      stopping.abort();
      await killing?.end();
      await world?.close();
    }, 60_000);

    it(
      'mints every ticket once, loses none, and comes to rest',
      async () => {
        console.log(`SEED=${SEED}`);
        const { env, chain, database, tenants, url } = world;
        const dice = new Dice(`kills ${SEED}`);
        const began = performance.now();
        const supervisor = supervise({ env, dice, kills: KILLS, pace: PACE });
        killing = supervisor;
        const customers = openCustomers({
          ...{ url, tenants, dice, orders: ORDERS, signal: stopping.signal, owner: database.owner },
          // As many orders as kills, in their shares, so that there is something to break off until the end.
          mayGoOn: (orders) => orders < ORDERS * Math.min(1, 0.05 + supervisor.killed() / KILLS),
        });
        let open: Open = {};
        const telling = setInterval(() => {
          console.log(
            `${((performance.now() - began) / 1_000).toFixed(0)} s: ${supervisor.killed()} kills, ${customers.orders()} orders, open ${JSON.stringify(open)}`,
          );
        }, 30_000);
        let faults: Faults = {};
        let restMs = Number.NaN;
        try {
          const [lastKill] = await Promise.all([supervisor.done, customers.finished]);
          do {
            await sleep(500);
            open = await countOpen(database.owner);
            if (Object.values(open).some((count) => count > 0)) continue;
            faults = await compareBooks(database.owner, chain);
            if (isClean(faults)) {
              restMs = performance.now() - lastKill;
              break;
            }
          } while (performance.now() - lastKill < PATIENCE_MS);
          faults = await compareBooks(database.owner, chain);
        } finally {
          clearInterval(telling);
          stopping.abort();
        }
        const parked = await rowsOf('select purpose, reason, ticket_id from parked_jobs');
        const messages = await rowsOf(
          'select consumer, kind, error from failed_messages where parked_at is not null',
        );
        const dead = await world.countDead();
        const drift = runChild('src/main/show-drift.ts', env);
        const driftCode = await drift.ended;
        const { rows } = await database.owner.query('select count(*)::integer as tickets from tickets');
        const table: Record<string, unknown> = {
          seed: SEED,
          seconds: Math.round((performance.now() - began) / 1_000),
          kills: supervisor.killed(),
          'ended by themselves': supervisor.crashes.length,
          orders: customers.orders(),
          tickets: rows[0].tickets,
          'tickets on the chain': chain.truth.tickets().length,
          ...Object.fromEntries(Object.entries(faults).map(([name, found]) => [name, found.length])),
          ...Object.fromEntries(Object.entries(open).map(([name, count]) => [`open: ${name}`, count])),
          'parked jobs': parked.length,
          'parked messages': messages.length,
          'dead letters': dead,
          'drift of counters': driftCode === 0 ? 0 : drift.output(),
          'surprising answers': customers.surprises.length,
          'at rest after seconds': (restMs / 1_000).toFixed(1),
          ...Object.fromEntries(
            Object.entries(chain.truth.counts()).map(([name, count]) => [`chain: ${name}`, count]),
          ),
        };
        console.table(table);
        console.table(Object.fromEntries([...supervisor.kills].sort()));
        console.table(Object.fromEntries([...customers.deeds].sort()));
        const examples = Object.entries(faults).flatMap(([name, found]) =>
          found.slice(0, 5).map((one) => `${name}: ${one}`),
        );
        const stopped = await supervisor.stop();
        const all = [
          ...examples,
          ...supervisor.crashes,
          ...customers.surprises.slice(0, 5),
          ...parked.slice(0, 5),
          ...messages.slice(0, 5),
        ];
        if (all.length > 0 || !(restMs <= REST_MS)) console.log([...all, supervisor.outputs()].join('\n'));
        if (process.env.LOOK === '1' && !(restMs <= REST_MS)) await sleep(600_000);

        expect(examples).toEqual([]);
        expect(supervisor.crashes).toEqual([]);
        expect(customers.surprises).toEqual([]);
        expect(
          Object.values(open).reduce((sum, count) => sum + count, 0),
          JSON.stringify(open),
        ).toBe(0);
        expect({ parked, messages, dead, driftCode }).toEqual({
          parked: [],
          messages: [],
          dead: 0,
          driftCode: 0,
        });
        expect(restMs, 'at rest within so many milliseconds').toBeLessThanOrEqual(REST_MS);
        expect(stopped, 'every process drains and exits 0').toEqual([0, 0, 0, 0]);
      },
      TIMEOUT_MS,
    );

    async function rowsOf(text: string): Promise<string[]> {
      const { rows } = await world.database.owner.query(text);
      return rows.map((row) => JSON.stringify(row));
    }
  },
);
