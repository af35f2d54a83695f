import type { Client } from 'undici';
import type { Api } from './api.ts';

export type Call = { path: string; token: string; body: unknown; key: string };
export type Load = {
  /** Answers per second. */
  rate: number;
  p50: number;
  p99: number;
  /** How many answers there were, by status and problem code. */
  outcomes: Map<string, number>;
};

/**
 * `callers`, each on a connection of its own, ask again as soon as they are answered, for `seconds`. `next` says what;
 * `seen` gets each answer's body where somebody wants to look at it. The first fifth of the time warms up and is not
 * counted.
 */
export async function drive(
  api: Api,
  options: {
    callers: number;
    seconds: number;
    next: (caller: number) => Call;
    seen?: (body: string) => void;
  },
): Promise<Load> {
  const { callers, seconds, next, seen } = options;
  const begin = performance.now();
  const counted = begin + seconds * 200;
  const end = begin + seconds * 1_200;
  const times: number[] = [];
  const outcomes = new Map<string, number>();

  async function call(caller: number): Promise<void> {
    const client = api.caller(caller);
    while (performance.now() < end) {
      const sent = performance.now();
      const { status, body } = await ask(client, next(caller));
      const now = performance.now();
      const code = status < 300 ? '' : ` ${(JSON.parse(String(body())) as { code?: string }).code}`;
      const outcome = `${status}${code}`;
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      seen?.(String(body()));
      if (sent >= counted && now <= end) times.push(now - sent);
    }
  }
  await Promise.all(Array.from({ length: callers }, (_, caller) => call(caller)));
  times.sort((a, b) => a - b);
  const at = (share: number): number => times[Math.floor((times.length - 1) * share)] ?? Number.NaN;
  return { rate: times.length / seconds, p50: at(0.5), p99: at(0.99), outcomes };
}

/** The load shares two cores with what it measures, so it takes the answer as it comes, without streams around it. */
export function ask(
  client: Client,
  { path, token, body, key }: Call,
): Promise<{ status: number; body: () => Buffer }> {
  return new Promise((resolve, reject) => {
    let status = 0;
    const chunks: Buffer[] = [];
    client.dispatch(
      {
        path,
        method: 'POST',
        headers: {
          authorization: `Bearer ${token}`,
          'content-type': 'application/json',
          'idempotency-key': key,
        },
        body: JSON.stringify(body),
      },
      {
        onRequestStart: () => undefined,
        onResponseStart: (_controller, code) => {
          status = code;
        },
        onResponseData: (_controller, chunk) => {
          chunks.push(chunk);
        },
        onResponseEnd: () => resolve({ status, body: () => Buffer.concat(chunks) }),
        onResponseError: (_controller, error) => reject(error),
      },
    );
  });
}
