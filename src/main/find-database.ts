import { existsSync } from 'node:fs';
import { ConfigError } from '../config.ts';
import { dataFolder, type Environment, readEnvironment } from '../process/environment.ts';
import { isLocked } from './embedded/lock-folder.ts';
import { findRunning } from './embedded/running-stack.ts';

const DATABASES = ['DATABASE_OWNER_URL', 'DATABASE_URL', 'DATABASE_RELAY_URL', 'DATABASE_LISTENER_URL'];

/**
 * For commands that work on a database: where no DATABASE_…_URL is set, that of the stack that `npm start` runs.
 * @throws ConfigError when there is neither
 */
export async function findDatabase(): Promise<Environment> {
  const env = readEnvironment();
  if (DATABASES.some((name) => env[name])) return env;
  const folder = dataFolder(env);
  const running = existsSync(folder) && isLocked(folder) ? await findRunning(folder) : undefined;
  if (running) return { ...env, ...running.environment };
  throw new ConfigError([
    `No database is named (DATABASE_URL; .env.example has them all), and npm start does not run in ${folder}.`,
  ]);
}
