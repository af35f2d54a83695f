import { ConfigError } from '../config.ts';

/** Runs `work`; what stops it is printed as plain sentences, and the process ends with 1. */
export async function exitOnProblem(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    const lines = error instanceof ConfigError ? error.problems : [describe(error)];
    for (const line of lines) console.error(line);
    if (process.env.LOG_LEVEL === 'debug' && error instanceof Error) console.error(error.stack);
    process.exit(1);
  }
}

function describe(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return describe(error.errors[0]);
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message} (${error.cause.message})` : error.message;
}
