import pg from 'pg';
import type { Db } from './db.ts';
import type { Logger } from './logger.ts';
import { sleep } from './retry.ts';

const BEAT_MS = 2_000;
/** A server that says nothing for so long counts as lost. */
const SILENCE_MS = 4_000;
/**
 * The server ends a session that says nothing for so long, so that a leader which hangs, or whose machine is gone, makes
 * room. Longer than a beat and its time-out together, so a healthy leader never loses its session.
 */
const SERVER_PATIENCE_MS = 8_000;

/**
 * Runs `work` in one process at a time: in the one whose session holds the advisory lock `name`. The others wait, and
 * one of them takes over within ten seconds of the leader's end, however it ended. The signal given to `work` aborts as
 * soon as the session is lost; what `work` throws ends the wait for everybody here.
 */
export async function lead(
  name: string,
  options: { db: Db; log: Logger; signal: AbortSignal; beatMs?: number; onStandby?: () => void },
  work: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const { db, log, signal, beatMs = BEAT_MS } = options;
  while (!signal.aborted) {
    const session = await openSession(db, log);
    try {
      if (session && (await takes(session.client, name))) {
        log.info({ lead: name }, 'leading');
        await whileHeld(session, { log, signal, beatMs }, work);
      } else options.onStandby?.();
    } finally {
      await session?.close();
    }
    await sleep(beatMs, signal);
  }
}

type Session = { client: pg.Client; lost: AbortSignal; lose: () => void; close(): Promise<void> };

/** A connection of its own: the lock is the session's, and must not go back to a pool. */
async function openSession(db: Db, log: Logger): Promise<Session | undefined> {
  const { connectionString, application_name } = db.pool.options;
  const client = new pg.Client({
    connectionString,
    application_name,
    connectionTimeoutMillis: SILENCE_MS,
    query_timeout: SILENCE_MS,
    keepAlive: true,
    options: `-c idle_session_timeout=${SERVER_PATIENCE_MS} -c tcp_user_timeout=${SERVER_PATIENCE_MS}`,
  });
  const lost = new AbortController();
  const lose = (): void => lost.abort();
  client.on('error', lose);
  client.on('end', lose);
  try {
    await client.connect();
  } catch (error) {
    log.warn({ err: (error as Error).message }, 'cannot ask who leads');
    return undefined;
  }
  return { client, lost: lost.signal, lose, close: () => client.end().catch(() => undefined) };
}

async function takes(client: pg.Client, name: string): Promise<boolean> {
  try {
    const { rows } = await client.query('select pg_try_advisory_lock(hashtextextended($1, 0)) as taken', [
      name,
    ]);
    return rows[0].taken;
  } catch {
    return false;
  }
}

async function whileHeld(
  { client, lost, lose }: Session,
  { log, signal, beatMs }: { log: Logger; signal: AbortSignal; beatMs: number },
  work: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const ended = new AbortController();
  const held = AbortSignal.any([signal, lost]);
  const beating = (async () => {
    while (await sleep(beatMs, AbortSignal.any([held, ended.signal]))) {
      await client.query('select 1').catch(lose);
    }
  })();
  try {
    await work(held);
  } catch (error) {
    // What fails because the session is gone is no news.
    if (!lost.aborted || signal.aborted) throw error;
  } finally {
    ended.abort();
    await beating;
  }
  if (lost.aborted && !signal.aborted) log.warn('the session that leads was lost');
}
