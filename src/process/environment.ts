import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ConfigError } from '../config.ts';

export type Environment = Record<string, string | undefined>;

const root = fileURLToPath(new URL('../..', import.meta.url));

/** The environment of this process, and beneath it the file `.env` beside package.json, or the one that ENV_FILE names. */
export function readEnvironment(): Environment {
  const named = process.env.ENV_FILE;
  const file = named ?? `${root}.env`;
  if (named === undefined && !existsSync(file)) return process.env;
  try {
    process.loadEnvFile(file);
  } catch (error) {
    throw new ConfigError([`The file ${file} cannot be read as settings (${(error as Error).message}).`]);
  }
  return process.env;
}

/** Where `npm start` keeps everything. */
export function dataFolder(env: Environment): string {
  return resolve(env.DATA_FOLDER || `${root}.data`);
}
