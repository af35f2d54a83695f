import { createServer } from 'node:http';
import { loadConfig, type ProcessName } from '../config.ts';
import { readEnvironment } from './environment.ts';
import { exitOnProblem } from './exit.ts';
import { openServices, type Services } from './open-services.ts';

/** SIGTERM must be over before an orchestrator kills: drain for so long, then end anyway. */
const DRAIN_MS = 9_000;

/**
 * The life of one process: configuration, services, `work` until SIGTERM or SIGINT, then drain and exit 0 within ten
 * seconds. `work` ends when the signal aborts.
 */
export async function runProcess(
  name: Extract<ProcessName, 'api' | 'background' | 'mint-worker' | 'listener'>,
  work: (services: Services, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  await exitOnProblem(async () => {
    const config = loadConfig(readEnvironment(), name);
    const services = openServices(config, name);
    const { log } = services;
    const stop = new AbortController();
    for (const event of ['SIGTERM', 'SIGINT'] as const) {
      process.once(event, () => {
        log.info({ event }, 'stopping');
        stop.abort();
        setTimeout(() => {
          log.error('could not drain in time');
          process.exit(1);
        }, DRAIN_MS).unref();
      });
    }
    const metricsServer = config.METRICS_PORT > 0 ? serveMetrics(services, config.METRICS_PORT) : undefined;
    log.info('starting');
    try {
      await work(services, stop.signal);
    } finally {
      metricsServer?.close();
      await services.close();
    }
    log.info('stopped');
    process.exit(0);
  });
}

/** For processes without an API of their own. */
function serveMetrics({ metrics, config }: Services, port: number) {
  return createServer(async (_request, response) => {
    response.setHeader('content-type', metrics.registry.contentType);
    response.end(await metrics.registry.metrics());
  }).listen(port, config.HTTP_HOST);
}
