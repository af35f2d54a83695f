import { execFile } from 'node:child_process';
import { readFile, readlink, realpath, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { waitFor } from '../../platform/retry.ts';

/**
 * Stops the PostgreSQL that a run that was killed left running on `data`. Its number is in postmaster.pid, which a crash
 * of the machine leaves behind too, and by then the number may be another program's: that gets no signal.
 */
export async function endLeftover(data: string): Promise<void> {
  const file = `${data}/postmaster.pid`;
  const text = await readFile(file, 'utf8').catch(() => '');
  const [first, ...rest] = text.split('\n');
  const pid = Number(first);
  if (!(pid > 0) || !isRunning(pid)) return;
  if (!(await isPostgresOf(pid, data))) {
    // PostgreSQL would take whoever has the number for its predecessor and not start. A number that is its parent's it
    // takes for stale; what it checks besides, shared memory that is still in use, stays in the file.
    await writeFile(file, [process.pid, ...rest].join('\n'));
    return;
  }
  process.kill(pid, 'SIGINT');
  const ended = await waitFor(async () => !isRunning(pid), { timeoutMs: 10_000 });
  if (!ended) throw new Error(`Another PostgreSQL (process ${pid}) still uses ${data}; end it first.`);
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** PostgreSQL works in its data folder, and names it where the system does not tell where a process works. */
async function isPostgresOf(pid: number, data: string): Promise<boolean> {
  try {
    if (process.platform === 'linux') {
      const name = (await readFile(`/proc/${pid}/comm`, 'utf8')).trim();
      return name === 'postgres' && (await readlink(`/proc/${pid}/cwd`)) === (await realpath(data));
    }
    const { stdout } = await promisify(execFile)('ps', ['-o', 'command=', '-p', String(pid)]);
    return /postgres/.test(stdout) && stdout.includes(`-D ${data}`);
  } catch {
    // It ended meanwhile, or belongs to somebody else, whose PostgreSQL could not read our folder.
    return false;
  }
}
