import { afterAll, beforeAll, expect, it } from 'vitest';
import { lead } from '../../src/platform/lead.ts';
import { createLogger } from '../../src/platform/logger.ts';
import { sleep, waitFor } from '../../src/platform/retry.ts';
import { openTestDatabase, type TestDatabase } from '../support/test-database.ts';

const log = createLogger({ level: 'silent', process: 'test' });
let database: TestDatabase;
beforeAll(async () => {
  database = await openTestDatabase();
});
afterAll(() => database.drop());

type Candidate = { leads: boolean; standsBy: number; stop(): Promise<void>; ended: Promise<void> };

function start(name: string): Candidate {
  const stopping = new AbortController();
  const candidate: Candidate = {
    leads: false,
    standsBy: 0,
    async stop() {
      stopping.abort();
      await candidate.ended;
    },
    ended: Promise.resolve(),
  };
  const options = { db: database.listener, log, signal: stopping.signal, beatMs: 100 };
  const onStandby = (): void => void candidate.standsBy++;
  candidate.ended = lead(name, { ...options, onStandby }, async (signal) => {
    candidate.leads = true;
    while (await sleep(10, signal));
    candidate.leads = false;
  });
  return candidate;
}

const until = async (what: string, probe: () => boolean): Promise<void> => {
  if (!(await waitFor(async () => probe(), { timeoutMs: 10_000, everyMs: 10 })))
    throw new Error(`${what} did not come within 10 s`);
};
/** The server ends every session that holds an advisory lock, as if its machine were gone. */
const breakSessions = () =>
  database.owner.query(
    `select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory'
     and database = (select oid from pg_database where datname = current_database())`,
  );

it('one leads and the others stand by; when it stops another one takes over', async () => {
  const one = start('a');
  await until('the leader', () => one.leads);
  const two = start('a');
  await until('the other', () => two.standsBy > 2);
  expect(two.leads).toBe(false);
  await one.stop();
  await until('the next leader', () => two.leads);
  await two.stop();
});

it('whoever loses its session stops at once, and does not lead while another does', async () => {
  const candidates = [start('b'), start('b'), start('b')];
  const leaders = (): number => candidates.filter(({ leads }) => leads).length;
  for (let round = 0; round < 3; round++) {
    await until('a leader', () => leaders() === 1);
    const leader = candidates.find(({ leads }) => leads);
    await breakSessions();
    await until('the end', () => !leader?.leads || leaders() === 1);
    for (let look = 0; look < 30; look++) {
      expect(leaders()).toBeLessThanOrEqual(1);
      await sleep(10);
    }
  }
  await Promise.all(candidates.map((candidate) => candidate.stop()));
});

it('different works have different leaders', async () => {
  const [one, other] = [start('c'), start('d')];
  await until('both', () => one.leads && other.leads);
  await Promise.all([one.stop(), other.stop()]);
});

it('what the work throws ends it', async () => {
  const options = { db: database.listener, log, signal: new AbortController().signal };
  await expect(lead('e', options, () => Promise.reject(new Error('no way')))).rejects.toThrow('no way');
});
