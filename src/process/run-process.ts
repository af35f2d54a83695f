import { loadConfig, type ProcessName } from '../config.ts';
import { readEnvironment } from './environment.ts';
import { exitOnProblem } from './exit.ts';
import { openServices, type Services } from './open-services.ts';
import { serveMetrics } from './serve-metrics.ts';

/** SIGTERM must be over before an orchestrator kills: drain for so long. */
const DRAIN_MS = 9_000;
/** Only a process that cannot run its own timers in time is still there. */
const LAST_MS = 9_700;

/**
 * The life of one process: configuration, services, `work` until SIGTERM or SIGINT, then drain and exit 0 within ten
 * seconds. `work` ends when the signal aborts. What it still holds then goes back as it does in a crash: the broker
 * delivers messages again, leases end, transactions are rolled back.
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
          log.error('could not end in time');
          process.exit(1);
        }, LAST_MS).unref();
      });
    }
    const at = { host: config.HTTP_HOST, port: config.METRICS_PORT };
    const metricsServer = at.port > 0 ? await serveMetrics(services.metrics, at) : undefined;
    log.info('starting');
    const run = work(services, stop.signal).finally(() => {
      metricsServer?.close();
      return services.close();
    });
    if (!(await untilDrained(run, stop.signal))) log.warn('ends with work in hand, which others take over');
    log.info('stopped');
    process.exit(0);
  });
}

/** Whether `run` ended by itself, at the latest `DRAIN_MS` after the signal. */
async function untilDrained(run: Promise<void>, signal: AbortSignal): Promise<boolean> {
  const late = new Promise<false>((resolve) => {
    signal.addEventListener('abort', () => setTimeout(resolve, DRAIN_MS, false));
  });
  return Promise.race([run.then(() => true), late]);
}
