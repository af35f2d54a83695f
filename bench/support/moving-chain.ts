import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export type Ask =
  | { what: 'open'; tenantId: string; eventId: string; ticketIds: string[] }
  | { what: 'move'; count: number }
  | { what: 'follow'; lagMs: number }
  | { what: 'applied'; count: number }
  | { what: 'stop' }
  | { what: 'truth' };

export type Opened = { rpcUrl: string; wsUrl: string; programId: string; event: string; accounts: string[] };
/** Moves since the beginning; how late each was applied, in milliseconds after it was sent. */
export type Moved = { moved: number; lags: number[] };
export type Truth = {
  tickets: { account: string; holder: string; version: number }[];
  /** Transactions that landed and did nothing. */
  failed: number;
};

export type MovingChain = {
  /** Mints a ticket for each id. */
  open(of: { tenantId: string; eventId: string; ticketIds: string[] }): Promise<Opened>;
  /** Returns when all of them are confirmed. */
  move(count: number): Promise<Moved>;
  /** Moves tickets as fast as the chain can while none waits longer than `lagMs`, until `stop`. */
  follow(lagMs: number): Promise<Moved>;
  /** So many moves since the beginning are in the database. */
  applied(count: number): void;
  stop(): void;
  truth(): Promise<Truth>;
  close(): Promise<void>;
};

/** A chain in a process of its own that tells a socket all but `drop` of what it should. */
export async function startMovingChain(drop: number): Promise<MovingChain> {
  const child = fork(fileURLToPath(new URL('./serve-moving-chain.ts', import.meta.url)), {
    env: { ...process.env, DROP: String(drop) },
  });
  const ending = new AbortController();
  child.once('exit', () => ending.abort());
  const next = async <T>(): Promise<T> => {
    const [message] = (await once(child, 'message', { signal: ending.signal })) as [{ answer: T }];
    return message.answer;
  };
  const ask = <T>(question: Ask): Promise<T> => {
    const answer = next<T>();
    child.send(question);
    return answer;
  };
  await next();
  return {
    open: (of) => ask({ what: 'open', ...of }),
    move: (count) => ask({ what: 'move', count }),
    follow: (lagMs) => ask({ what: 'follow', lagMs }),
    applied: (count) => void child.send({ what: 'applied', count } satisfies Ask),
    stop: () => void child.send({ what: 'stop' } satisfies Ask),
    truth: () => ask({ what: 'truth' }),
    async close() {
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    },
  };
}
