import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, chown, constants, cp, mkdir, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

/** As whom PostgreSQL runs and where its files are. It refuses to run as root, so root lends it another user. */
export type PostgresHome = { uid?: number; gid?: number; programs: string; data: string };

/** Where root keeps files that another user must reach, when the project's own folder is closed to others. */
const SHARED = '/var/lib/tessera';

/**
 * Decides as whom PostgreSQL runs. A normal user runs it as they are. Root runs it as `postgres`, or else `nobody`; when
 * that user cannot reach the project's folder (say, below /root), programs and data live under /var/lib/tessera.
 */
export async function preparePostgresHome(programs: string, data: string): Promise<PostgresHome> {
  await mkdir(dirname(data), { recursive: true });
  if (process.getuid?.() !== 0) {
    await access(dirname(data), constants.W_OK).catch(() => {
      throw new Error(`The folder ${dirname(data)} cannot be written to; it keeps the database.`);
    });
    return { programs, data };
  }
  const user = findUser();
  const open = (await isOpenToOthers(programs)) && (await isOpenToOthers(dirname(data)));
  if (open) {
    await give(data, user);
    return { ...user, programs, data };
  }
  const name = createHash('sha256').update(resolve(data)).digest('hex').slice(0, 12);
  const shared = `${SHARED}/${name}`;
  await mkdir(shared, { recursive: true, mode: 0o755 });
  await cp(programs, `${shared}/programs`, {
    recursive: true,
    force: false,
    errorOnExist: false,
    verbatimSymlinks: true,
  });
  await give(`${shared}/data`, user);
  return { ...user, programs: `${shared}/programs`, data: `${shared}/data` };
}

async function give(folder: string, user: { uid: number; gid: number }): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await chown(folder, user.uid, user.gid);
}

/** Every folder on the way must let others pass. */
async function isOpenToOthers(path: string): Promise<boolean> {
  for (let folder = resolve(path); ; folder = dirname(folder)) {
    const info = await stat(folder).catch(() => undefined);
    if (info && (info.mode & 0o001) === 0) return false;
    if (folder === dirname(folder)) return true;
  }
}

function findUser(): { uid: number; gid: number } {
  for (const name of ['postgres', 'nobody']) {
    try {
      const id = (flag: string) =>
        Number(execFileSync('id', [flag, name], { stdio: ['ignore', 'pipe', 'ignore'] }).toString());
      return { uid: id('-u'), gid: id('-g') };
    } catch {
      // No such user here; the next one may exist.
    }
  }
  throw new Error('PostgreSQL cannot run as root, and this machine has neither a user postgres nor nobody.');
}
