import { readFile, rm, writeFile } from 'node:fs/promises';

/** What the stack that runs in a folder says of itself; `environment` leads other processes to its parts. */
export type RunningStack = { pid: number; url: string; environment: Record<string, string> };

const fileIn = (folder: string): string => `${folder}/running.json`;

/** Written by whoever has the lock on `folder`; it holds passwords, so nobody else may read it. */
export function noteRunning(folder: string, stack: RunningStack): Promise<void> {
  return writeFile(fileIn(folder), `${JSON.stringify(stack)}\n`, { mode: 0o600 });
}

export function forgetRunning(folder: string): Promise<void> {
  return rm(fileIn(folder), { force: true });
}

/** What was noted last. A run that was killed leaves its note behind: it holds while the folder is locked. */
export async function findRunning(folder: string): Promise<RunningStack | undefined> {
  try {
    return JSON.parse(await readFile(fileIn(folder), 'utf8')) as RunningStack;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
