import { parseArgs } from 'node:util';
import { dataFolder, readEnvironment } from '../process/environment.ts';
import { exitOnProblem } from '../process/exit.ts';
import { openLocalTenant, printCredentials } from './embedded/credentials.ts';
import { runDemo } from './embedded/demo.ts';
import { type Stack, startStack } from './embedded/start-stack.ts';

const DRAIN_MS = 9_500;

/** `npm start`: sets the embedded stack up, walks one order through it, and stays up. `-- --no-demo` only runs it. */
await exitOnProblem(async () => {
  const { values } = parseArgs({ options: { 'no-demo': { type: 'boolean', default: false } } });
  const began = performance.now();
  const env = readEnvironment();
  const folder = dataFolder(env);
  const { signal, stopped } = listenForStop();
  console.log(`Tessera is setting itself up. Data is kept in ${folder}, logs in tessera.log there.\n`);
  try {
    const stack = await startStack({ env, folder, report: stopwatch(), signal });
    try {
      await Promise.race([stopped, show(stack, began, values['no-demo'])]);
      await stopped;
    } finally {
      await stack.stop();
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  console.log('Stopped. The next start goes on from here.');
  process.exit(0);
});

async function show(stack: Stack, began: number, withoutDemo: boolean): Promise<void> {
  const walked = withoutDemo ? undefined : await runDemo(stack, stopwatch());
  const tenant = walked?.tenant ?? (await openLocalTenant(stack));
  console.log(`\nUp after ${seconds(performance.now() - began).trim()}. Ctrl-C stops it.\n`);
  console.log(`  API        ${stack.url}/api`);
  console.log(`  Reference  ${stack.url}/docs`);
  console.log(`  Health     ${stack.url}/health/ready`);
  console.log(`  Solana RPC ${stack.rpcUrl}   WebSocket ${stack.wsUrl}   program ${stack.programId}`);
  await printCredentials(stack, tenant);
  if (!walked) return;
  console.log('\nThree things to try, each a line for another terminal:');
  for (const { what, line } of walked.next) console.log(`\n  ${what}:\n${line}`);
}

/** From now on a signal to end is ours to answer, so that no moment of the start leaves a PostgreSQL behind. */
function listenForStop(): { signal: AbortSignal; stopped: Promise<void> } {
  const stopping = new AbortController();
  const { signal } = stopping;
  for (const event of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(event, () => {
      if (signal.aborted) return;
      console.log('\nStopping …');
      setTimeout(() => {
        console.error('It took too long; some data of the last seconds may be lost.');
        process.exit(1);
      }, DRAIN_MS).unref();
      stopping.abort();
    });
  }
  const stopped = new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
  return { signal, stopped };
}

/** Prints each step with the time since the one before. */
function stopwatch(): (what: string, detail?: string) => void {
  let last = performance.now();
  return (what, detail = '') => {
    const now = performance.now();
    console.log(`${seconds(now - last)}  ${what.padEnd(21)} ${detail}`);
    last = now;
  };
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2).padStart(7)} s`;
}
