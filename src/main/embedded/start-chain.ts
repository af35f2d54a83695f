import { readFile, rename, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { sleep, waitFor } from '../../platform/retry.ts';

/** Of the native module only what we use. */
type Surfnet = {
  rpcUrl: string;
  wsUrl: string;
  fundSol(address: string, lamports: number): void;
  setAccount(address: string, lamports: number, data: number[], owner: string): void;
  deploy(options: { programId: string; soPath: string }): void;
  timeTravelToSlot(slot: number): unknown;
  /** What happened since it was asked last. */
  drainEvents(): unknown[];
  stop(): void;
};
type SurfnetModule = { Surfnet: { startWithConfig(config: Record<string, unknown>): Surfnet } };

type Account = { lamports: number; data: string; owner: string; executable: boolean };
type Snapshot = { slot: number; savedAt: string; accounts: Record<string, Account> };

export type EmbeddedChain = {
  rpcUrl: string;
  wsUrl: string;
  /** What was put back of an earlier run; undefined at the first. */
  restored: { accounts: number; savedAt: string } | undefined;
  fund(address: string, lamports: number): void;
  save(): Promise<void>;
  stop(): void;
};

/** The program's address on every local chain; see Anchor.toml. */
export const LOCAL_PROGRAM_ID = 'TesseraTicket111111111111111111111111111111';
export const PROGRAM_FILE = fileURLToPath(
  new URL('../../../programs/ticketing/ticketing.so', import.meta.url),
);

/** The runtime tells of every slot. With a thousand tidings that nobody took it stands still for good. */
const DRAIN_EVERY_MS = 1_000;

const SYSVAR_OWNER = 'Sysvar1111111111111111111111111111111111111';

/**
 * Starts the Solana runtime that npm brought and deploys the program. The runtime keeps nothing, so its accounts are
 * saved to `snapshotFile` and put back at the next start, the clock of slots included. Its history is not: signatures
 * of earlier runs are unknown to it.
 */
export async function startChain(options: {
  programId: string;
  soPath: string;
  slotTimeMs: number;
  snapshotFile?: string;
}): Promise<EmbeddedChain> {
  const { programId, soPath, slotTimeMs, snapshotFile } = options;
  const net = load().Surfnet.startWithConfig({ offline: true, blockProductionMode: 'clock', slotTimeMs });
  const draining = setInterval(() => net.drainEvents(), DRAIN_EVERY_MS);
  draining.unref();
  await untilUsable(net.rpcUrl, slotTimeMs);
  const pristine = await exportAccounts(net.rpcUrl);
  const snapshot = snapshotFile ? await readSnapshot(snapshotFile) : undefined;
  if (snapshot) restore(net, snapshot);
  net.deploy({ programId, soPath });
  const own = new Set([
    programId,
    ...Object.keys(await exportAccounts(net.rpcUrl)).filter((key) => !(key in pristine)),
  ]);
  for (const key of Object.keys(snapshot?.accounts ?? {})) own.delete(key);
  if (snapshot) await advanceTo(net, snapshot.slot + 1);
  return {
    rpcUrl: net.rpcUrl,
    wsUrl: net.wsUrl,
    restored: snapshot && { accounts: Object.keys(snapshot.accounts).length, savedAt: snapshot.savedAt },
    fund: (address, lamports) => net.fundSol(address, lamports),
    async save() {
      if (!snapshotFile) return;
      const accounts = await exportAccounts(net.rpcUrl);
      const changed = Object.entries(accounts).filter(([key, account]) => {
        if (own.has(key) || account.executable || account.owner === SYSVAR_OWNER) return false;
        return JSON.stringify(account) !== JSON.stringify(pristine[key]);
      });
      const slot = await rpc<number>(net.rpcUrl, 'getSlot', [{ commitment: 'confirmed' }]);
      const taken: Snapshot = {
        slot,
        savedAt: new Date().toISOString(),
        accounts: Object.fromEntries(changed),
      };
      // Written aside and renamed: a crash leaves the earlier snapshot whole.
      await writeFile(`${snapshotFile}.new`, JSON.stringify(taken));
      await rename(`${snapshotFile}.new`, snapshotFile);
    },
    stop() {
      clearInterval(draining);
      net.stop();
    },
  };
}

function load(): SurfnetModule {
  try {
    return createRequire(import.meta.url)('@solana/surfpool-linux-x64-gnu') as SurfnetModule;
  } catch (error) {
    throw new Error(
      `The embedded Solana runtime is not there for ${process.platform} on ${process.arch}; ` +
        `set CHAIN_RPC_URL and CHAIN_WS_URL to use solana-test-validator or a cluster. (${(error as Error).message})`,
    );
  }
}

/** Right after the start the runtime cannot yet tell how long a blockhash is valid. */
async function untilUsable(url: string, slotTimeMs: number): Promise<void> {
  const usable = await waitFor(
    async () => (await rpc<number>(url, 'getSlot', [{ commitment: 'processed' }]).catch(() => 0)) >= 2,
    { timeoutMs: 20_000, everyMs: 20 },
  );
  if (!usable) throw new Error('The embedded Solana runtime did not produce a slot within 20 s.');
  await sleep(2 * slotTimeMs);
}

function restore(net: Surfnet, snapshot: Snapshot): void {
  for (const [address, { lamports, data, owner }] of Object.entries(snapshot.accounts)) {
    net.setAccount(address, lamports, [...Buffer.from(data, 'base64')], owner);
  }
}

/** The clock of slots only goes forward, and of a short run it is past the end already, or gets there meanwhile. */
async function advanceTo(net: Surfnet, slot: number): Promise<void> {
  const isPast = async (): Promise<boolean> =>
    (await rpc<number>(net.rpcUrl, 'getSlot', [{ commitment: 'processed' }])) >= slot;
  if (await isPast()) return;
  try {
    net.timeTravelToSlot(slot);
  } catch (error) {
    if (!(await isPast())) throw error;
  }
}

async function readSnapshot(path: string): Promise<Snapshot | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Snapshot;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new Error(
      `The snapshot of the chain in ${path} cannot be read; remove it to start with an empty chain.`,
    );
  }
}

async function exportAccounts(url: string): Promise<Record<string, Account>> {
  return (await rpc<{ value: Record<string, Account> }>(url, 'surfnet_exportSnapshot', [])).value;
}

async function rpc<T>(url: string, method: string, params: unknown[]): Promise<T> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
    signal: AbortSignal.timeout(10_000),
  });
  const { result, error } = (await response.json()) as { result: T; error?: { message: string } };
  if (error) throw new Error(`${method}: ${error.message}`);
  return result;
}
