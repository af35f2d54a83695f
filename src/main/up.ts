import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { exitOnProblem } from '../process/exit.ts';
import { runDemo } from './embedded/demo.ts';
import { startStack } from './embedded/start-stack.ts';

const DRAIN_MS = 9_500;

/** `npm start`: sets the embedded stack up, walks one order through it, and stays up. `-- --no-demo` only runs it. */
await exitOnProblem(async () => {
  const { values } = parseArgs({ options: { 'no-demo': { type: 'boolean', default: false } } });
  const began = performance.now();
  let last = began;
  const report = (what: string, detail = ''): void => {
    const now = performance.now();
    console.log(`${seconds(now - last)}  ${what.padEnd(20)} ${detail}`);
    last = now;
  };
  const folder = resolve(process.env.DATA_FOLDER ?? new URL('../../.data', import.meta.url).pathname);
  console.log(`Tessera is setting itself up. Data is kept in ${folder}, logs in tessera.log there.\n`);
  const stack = await startStack({ env: process.env, folder, report });

  let stopping = false;
  const stop = async (): Promise<void> => {
    if (stopping) return;
    stopping = true;
    console.log('\nStopping …');
    setTimeout(() => {
      console.error('It took too long; some data of the last seconds may be lost.');
      process.exit(1);
    }, DRAIN_MS).unref();
    await stack.stop();
    console.log('Stopped. The next start goes on from here.');
    process.exit(0);
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);

  try {
    if (!values['no-demo']) await runDemo(stack, report);
  } catch (error) {
    await stack.stop();
    throw error;
  }
  console.log(`\nUp after ${seconds(performance.now() - began).trim()}. Ctrl-C stops it.\n`);
  console.log(`  API        ${stack.url}/api`);
  console.log(`  Reference  ${stack.url}/docs`);
  console.log(`  Health     ${stack.url}/health/ready`);
  console.log(`  Solana RPC ${stack.rpcUrl}   program ${stack.programId}`);
});

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2).padStart(7)} s`;
}
