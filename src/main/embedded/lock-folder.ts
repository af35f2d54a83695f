import { DatabaseSync } from 'node:sqlite';
import { findRunning } from './running-stack.ts';

export type FolderLock = { release(): void };

/** How long whoever only looks may hold us up. */
const PATIENCE_MS = 500;
const SQLITE_BUSY = 5;
/** Whoever takes a lock may forget it: a file that nobody refers to is closed one day, and its lock is gone. */
const held = new Set<DatabaseSync>();

/**
 * Takes `folder` for this process alone. The lock is one of the system on the file `lock` in it, as SQLite takes it: it
 * ends with the process, however that ends, so a crash leaves nothing to clear away.
 * @throws Error in plain words when another process has it
 */
export async function lockFolder(folder: string): Promise<FolderLock> {
  const lock = tryLock(folder);
  if (lock) return lock;
  const running = await findRunning(folder);
  const which = running ? ` (process ${running.pid}, ${running.url})` : '';
  throw new Error(
    `Another Tessera runs in ${folder}${which}; stop it first, or set DATA_FOLDER to another folder.`,
  );
}

/** Whether some process has the folder. */
export function isLocked(folder: string): boolean {
  const lock = tryLock(folder);
  lock?.release();
  return lock === undefined;
}

function tryLock(folder: string): FolderLock | undefined {
  const file = new DatabaseSync(`${folder}/lock`, { timeout: PATIENCE_MS });
  try {
    // Nothing is ever written, and without a journal on disk the file stays empty.
    file.exec('pragma journal_mode = memory; begin exclusive');
    held.add(file);
    return {
      release() {
        held.delete(file);
        file.close();
      },
    };
  } catch (error) {
    file.close();
    if ((error as { errcode?: number }).errcode === SQLITE_BUSY) return undefined;
    throw new Error(`The file ${folder}/lock cannot be locked (${(error as Error).message}).`);
  }
}
