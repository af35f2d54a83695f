import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, Server as NetServer } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import type { App } from '../api/app.ts';
import { inTurn } from '../platform/http/in-turn.ts';
import { createDrain, GRACE_MS } from './drain.ts';
import { listenError } from './listen-error.ts';

/** Two seconds less than an orchestrator gives a process that ends. */
const DRAIN_MS = 7_500;
/** For the answers of that moment to leave. */
const LAST_WORD_MS = 300;

/** How long we wait for the other side, in milliseconds, and how much we take from it. */
const LIMITS = {
  headersMs: 5_000,
  requestMs: 10_000,
  idleMs: 65_000,
  /** A connection on which nothing moves: a caller who does not read the answer. */
  stalledMs: 20_000,
  /** From the request to the last byte of its answer. */
  answerMs: 60_000,
  /** Node looks at its time-outs so often; by default every 30 s, and a limit of 5 s was one of 35. */
  checkMs: 500,
  maxWaiting: 16,
};

/**
 * Serves the app until `signal`: headers must come within 5 s, a request within 10 s, and be answered and read within 60;
 * requests of one connection run one after the other. Then, in this order: no connection is taken any more; requests
 * under way are finished, and for a moment also those that come on connections there are, each answer closing its
 * connection; after that they are told 503 with `Retry-After`, and so is at `drainMs` whatever is still under way.
 * `closed` resolves when the last connection is.
 * @throws Error in plain words when it cannot listen there
 */
export async function serveHttp(
  app: Pick<App, 'fetch'>,
  options: {
    host: string;
    port: number;
    signal: AbortSignal;
    drainMs?: number;
    maxConnections?: number;
    limits?: Partial<typeof LIMITS>;
  },
): Promise<{ url: string; closed: Promise<void> }> {
  const { host, port, signal, drainMs = DRAIN_MS, maxConnections = 5_000 } = options;
  const { headersMs, requestMs, idleMs, stalledMs, checkMs, ...turns } = { ...LIMITS, ...options.limits };
  const drain = createDrain(signal, drainMs);
  const server = createServer(
    {
      headersTimeout: headersMs,
      requestTimeout: requestMs,
      keepAliveTimeout: idleMs,
      connectionsCheckingInterval: checkMs,
      maxHeaderSize: 16_384,
    },
    inTurn(
      getRequestListener((request, env) => drain.answer(async () => app.fetch(request, env))),
      turns,
    ),
  );
  server.timeout = stalledMs;
  server.maxConnections = maxConnections;
  server.listen(port, host);
  await Promise.race([
    once(server, 'listening'),
    once(server, 'error').then(([error]: NodeJS.ErrnoException[]) => {
      throw listenError(error as NodeJS.ErrnoException, { host, port, variable: 'HTTP_PORT' });
    }),
  ]);
  const closed = once(server, 'close').then(() => undefined);
  signal.addEventListener('abort', () => {
    // The server's own close would cut idle connections, on which a request may be on its way.
    NetServer.prototype.close.call(server);
    let sweep: NodeJS.Timeout | undefined;
    const grace = setTimeout(() => {
      sweep = setInterval(() => server.closeIdleConnections(), 50);
    }, GRACE_MS);
    const last = setTimeout(() => server.closeAllConnections(), drainMs + LAST_WORD_MS);
    closed.finally(() => {
      clearTimeout(grace);
      clearInterval(sweep);
      clearTimeout(last);
    });
  });
  const address = server.address() as AddressInfo;
  return { url: `http://${host}:${address.port}`, closed };
}
