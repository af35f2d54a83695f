import { once } from 'node:events';
import { type AddressInfo, Server as NetServer } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import type { App } from '../api/app.ts';
import { createDrain, GRACE_MS } from './drain.ts';
import { listenError } from './listen-error.ts';

/** Two seconds less than an orchestrator gives a process that ends. */
const DRAIN_MS = 7_500;
/** For the answers of that moment to leave. */
const LAST_WORD_MS = 300;

/**
 * Serves the app until `signal`: headers must come within 5 s, a request within 10 s. Then, in this order: no connection
 * is taken any more; requests under way are finished, and for a moment also those that come on connections there are,
 * each answer closing its connection; after that they are told 503 with `Retry-After`, and so is at `drainMs` whatever
 * is still under way. `closed` resolves when the last connection is.
 * @throws Error in plain words when it cannot listen there
 */
export async function serveHttp(
  app: App,
  options: { host: string; port: number; signal: AbortSignal; drainMs?: number },
): Promise<{ url: string; closed: Promise<void> }> {
  const { host, port, signal, drainMs = DRAIN_MS } = options;
  const drain = createDrain(signal, drainMs);
  const server = createAdaptorServer({
    fetch: (request, env) => drain.answer(() => app.fetch(request, env)),
    serverOptions: {
      headersTimeout: 5_000,
      requestTimeout: 10_000,
      keepAliveTimeout: 65_000,
      maxHeaderSize: 16_384,
    },
  });
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
      sweep = setInterval(() => 'closeIdleConnections' in server && server.closeIdleConnections(), 50);
    }, GRACE_MS);
    const last = setTimeout(
      () => 'closeAllConnections' in server && server.closeAllConnections(),
      drainMs + LAST_WORD_MS,
    );
    closed.finally(() => {
      clearTimeout(grace);
      clearInterval(sweep);
      clearTimeout(last);
    });
  });
  const address = server.address() as AddressInfo;
  return { url: `http://${host}:${address.port}`, closed };
}
