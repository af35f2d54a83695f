import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import type { App } from '../api/app.ts';
import { listenError } from './listen-error.ts';

/**
 * Serves the app until `signal`: headers must come within 5 s, a request within 10 s; requests under way are finished.
 * @throws Error in plain words when it cannot listen there
 */
export async function serveHttp(
  app: App,
  options: { host: string; port: number; signal: AbortSignal },
): Promise<{ url: string; closed: Promise<void> }> {
  const { host, port, signal } = options;
  const server = createAdaptorServer({
    fetch: app.fetch,
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
    server.close();
    if ('closeIdleConnections' in server) server.closeIdleConnections();
    setTimeout(() => 'closeAllConnections' in server && server.closeAllConnections(), 5_000).unref();
  });
  const address = server.address() as AddressInfo;
  return { url: `http://${host}:${address.port}`, closed };
}
