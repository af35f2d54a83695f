import type { Pool } from 'undici';

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
 * `callers` of `pool` ask again as soon as they are answered, for `seconds`. `next` says what; `seen` gets each answer's
 * body where somebody wants to look at it. The first fifth of the time warms up and is not counted.
 */
export async function drive(
  pool: Pool,
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
    while (performance.now() < end) {
      const { path, token, body, key } = next(caller);
      const sent = performance.now();
      const response = await pool.request({
        path,
        method: 'POST',
        headers: {
          authorization: `Bearer ${token}`,
          'content-type': 'application/json',
          'idempotency-key': key,
        },
        body: JSON.stringify(body),
      });
      const text = await response.body.text();
      const now = performance.now();
      const code = response.statusCode < 300 ? '' : ` ${(JSON.parse(text) as { code?: string }).code}`;
      const outcome = `${response.statusCode}${code}`;
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      seen?.(text);
      if (sent >= counted && now <= end) times.push(now - sent);
    }
  }
  await Promise.all(Array.from({ length: callers }, (_, caller) => call(caller)));
  times.sort((a, b) => a - b);
  const at = (share: number): number => times[Math.floor((times.length - 1) * share)] ?? Number.NaN;
  return { rate: times.length / seconds, p50: at(0.5), p99: at(0.99), outcomes };
}
