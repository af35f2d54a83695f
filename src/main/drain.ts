import { DomainError } from '../platform/errors.ts';
import { toProblem } from '../platform/http/problem.ts';

/** For so long requests that come on connections there are, are still served: their callers could not know. */
export const GRACE_MS = 500;

/** Answers until `signal`, and then ends: see `serveHttp`. */
export function createDrain(
  signal: AbortSignal,
  drainMs: number,
): { answer(handle: () => Response | Promise<Response>): Promise<Response> } {
  /** Those that wait for an answer. A race against one long promise would keep every request that ever was. */
  const waiting = new Set<(response: Response) => void>();
  let refusing = false;
  signal.addEventListener('abort', () => {
    setTimeout(() => {
      refusing = true;
    }, GRACE_MS).unref();
    setTimeout(() => {
      for (const give of waiting) give(goingDown());
    }, drainMs).unref();
  });
  return {
    async answer(handle) {
      if (refusing) return goingDown();
      let give: (response: Response) => void = () => undefined;
      try {
        const response = await new Promise<Response>((resolve, reject) => {
          give = resolve;
          waiting.add(give);
          Promise.resolve(handle()).then(resolve, reject);
        });
        if (signal.aborted) response.headers.set('connection', 'close');
        return response;
      } finally {
        waiting.delete(give);
      }
    },
  };
}

function goingDown(): Response {
  const problem = toProblem(new DomainError('unavailable', 'shutting_down', 'This process ends; ask again.'));
  return new Response(JSON.stringify(problem), {
    status: problem.status,
    headers: { 'content-type': 'application/problem+json', 'retry-after': '1', connection: 'close' },
  });
}
