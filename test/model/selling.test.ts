import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findLoose, findWrongs, readFree, readShares } from './support/books.ts';
import {
  boughtBy,
  type Command,
  command,
  heldBy,
  type Memory,
  type Outcome,
  perform,
} from './support/commands.ts';
import { type Before, expected, type HoldState, shortly } from './support/expectations.ts';
import { BUYERS, type Hall, openHall, openTheatre, type Theatre } from './support/hall.ts';

/** `SEED=… REPLAY=…` run one failure again, as its report names them; `RUNS` says how many are drawn, 1,000 for the whole proof. */
const { SEED, REPLAY, RUNS = '300' } = process.env;
const parameters: fc.Parameters<[Command[][]]> = {
  numRuns: Number(RUNS),
  ...(SEED === undefined ? {} : { seed: Number(SEED) }),
  ...(REPLAY === undefined ? {} : { path: REPLAY, endOnFailure: true }),
};

/** Commands of one round run at the same time; most rounds are of one, whose outcome is known beforehand. */
const round = fc.oneof(
  { weight: 3, arbitrary: fc.tuple(command) },
  { weight: 2, arbitrary: fc.array(command, { minLength: 2, maxLength: 4 }) },
);
const rounds: fc.Arbitrary<Command[][]> = fc.array(round, { minLength: 1, maxLength: 14, size: 'max' });

let theatre: Theatre;

beforeAll(async () => {
  theatre = await openTheatre();
});
afterAll(() => theatre.close());

describe('a sale', () => {
  it('keeps its books right whatever happens at the same time', async () => {
    const property = fc.asyncProperty(rounds, (rounds) => play(theatre, rounds));
    await fc.assert(property, parameters);
  }, 900_000);
});

describe('a sale on a database that forgets to end the holds it takes places from', () => {
  let broken: Theatre;

  beforeAll(async () => {
    broken = await openTheatre();
    await broken.ctx.database.owner.query(`
      create or replace function reclaim_expired_holds(p_tenant uuid, p_ticket_type uuid, p_now timestamptz) returns integer
      language sql as $$
        with overdue as (
          select coalesce(sum(quantity), 0)::integer as places from holds
          where tenant_id = p_tenant and ticket_type_id = p_ticket_type and state = 'active' and expires_at <= p_now)
        update inventory set held = greatest(held - places, 0) from overdue
        where tenant_id = p_tenant and ticket_type_id = p_ticket_type returning places $$`);
  });
  afterAll(() => broken.close());

  it('is caught, and fails in the same way again by its seed and path', async () => {
    const alone = fc.array(fc.tuple(command), { minLength: 1, maxLength: 14, size: 'max' });
    const property = fc.asyncProperty(alone, (rounds) => play(broken, rounds));
    const found = await fc.check(property, { seed: 42, numRuns: 200, endOnFailure: true });
    expect(found.failed).toBe(true);
    expect(String(found.errorInstance)).toContain('a counter is not the number of its rows');
    const again = await fc.check(property, {
      seed: found.seed,
      path: found.counterexamplePath as string,
      endOnFailure: true,
    });
    expect(again).toMatchObject({ failed: true, numRuns: 1, counterexample: found.counterexample });
    expect(String(again.errorInstance)).toContain('a counter is not the number of its rows');
  }, 120_000);
});

/** Plays one sale from its opening to its end. @throws when a sentence about its books is false */
async function play(theatre: Theatre, rounds: Command[][]): Promise<void> {
  theatre.clock.set(theatre.opened);
  const hall = await openHall(theatre);
  const memory: Memory = { held: [], bought: [] };
  for (const commands of rounds) {
    // The gate of an API may be behind the other's for a moment.
    theatre.clock.set(new Date(theatre.clock.now().getTime() + 1_000));
    const [only] = commands;
    if (commands.length === 1 && only) await playAlone(theatre, hall, memory, only);
    else await playTogether(theatre, hall, memory, commands);
    refuse(await findWrongs(theatre.ctx.database.owner, hall, theatre.clock.now()));
  }
  await end(theatre, hall);
}

async function playAlone(theatre: Theatre, hall: Hall, memory: Memory, command: Command): Promise<void> {
  const before = await look(theatre, hall, memory, command);
  const outcome = await perform(theatre, hall, memory, command);
  const expectation = expected(command, before, memory, hall);
  expect(outcome.status, JSON.stringify(command)).toBeLessThan(500);
  if (expectation) expect(expectation, JSON.stringify(command)).toContain(shortly(outcome));
  if (before.repeated?.status === 201) expect(outcome.body).toEqual(before.repeated.body);
}

async function playTogether(
  theatre: Theatre,
  hall: Hall,
  memory: Memory,
  commands: Command[],
): Promise<void> {
  const outcomes = await Promise.all(commands.map((command) => perform(theatre, hall, memory, command)));
  const broken = outcomes.filter((outcome: Outcome) => outcome.status >= 500 || outcome.status === 400);
  expect(broken).toEqual([]);
}

async function look(theatre: Theatre, hall: Hall, memory: Memory, command: Command): Promise<Before> {
  const { owner } = theatre.ctx.database;
  const now = theatre.clock.now();
  const held = 'of' in command ? heldBy(memory, command) : undefined;
  const shares = await readShares(owner, hall, now);
  return {
    free: await readFree(owner, hall, now),
    share: ('who' in command && shares.get(BUYERS[command.who] as string)) || 0,
    hold: held && (await stateOf(held.code)),
    repeated: command.do === 'repeat' ? boughtBy(memory, command)?.answer : undefined,
  };

  async function stateOf(code: string): Promise<HoldState> {
    const { rows } = await owner.query(
      `select h.state, h.expires_at, o.status from holds h left join orders o on o.id = h.order_id and o.status = 'pending'
       where h.code = $1`,
      [code],
    );
    if (rows.some((row) => row.status !== null || row.state === 'converted')) return 'used';
    if (rows.some((row) => row.state === 'released')) return 'given up';
    return rows.every((row) => row.state === 'active' && row.expires_at > now) ? 'usable' : 'run out';
  }
}

/** A day later: whoever had to come back did not, and the workers have been round. */
async function end(theatre: Theatre, hall: Hall): Promise<void> {
  const nobody: Memory = { held: [], bought: [] };
  theatre.clock.set(new Date(theatre.clock.now().getTime() + 86_400_000));
  for (const command of ['expire holds', 'reconcile', 'send refunds', 'expire holds'] as const)
    await perform(theatre, hall, nobody, { do: command });
  const { owner } = theatre.ctx.database;
  refuse(await findWrongs(owner, hall, theatre.clock.now()));
  refuse(await findLoose(owner, hall));
}

function refuse(wrongs: string[]): void {
  if (wrongs.length > 0) throw new Error(wrongs.join('\n'));
}
