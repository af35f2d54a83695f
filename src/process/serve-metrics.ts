import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { Metrics } from '../platform/metrics.ts';

/**
 * Serves the measurements of this process on a port of their own: they tell of all tenants together, so the port that the
 * world reaches does not have them.
 * @throws Error in plain words when the port is taken
 */
export async function serveMetrics(
  { registry }: Pick<Metrics, 'registry'>,
  { host, port }: { host: string; port: number },
): Promise<Server> {
  const server = createServer(async (_request, response) => {
    response.setHeader('content-type', registry.contentType);
    response.end(await registry.metrics());
  }).listen(port, host);
  try {
    await once(server, 'listening');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    throw new Error(`Port ${port} is in use by another program; set METRICS_PORT to a free one.`);
  }
  return server;
}
