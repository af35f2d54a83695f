import { readFile } from 'node:fs/promises';
import { type Api, startApi } from './api.ts';
import type { BenchDatabase, BenchServer } from './postgres.ts';
import { checkBooks, issueTokens, type OnSale, openEvent, openTenants } from './sale.ts';

/** A database with tenants and events on sale, and an API that sells them. */
export type Scene = {
  database: BenchDatabase;
  api: Api;
  sales: OnSale[];
  /** The buyers' tokens by tenant. */
  tokens: Map<string, string[]>;
  /** Checks the books, then clears up. @throws Error when they are wrong */
  end(): Promise<void>;
};

export async function openScene(
  server: BenchServer,
  options: {
    tenants?: number;
    types?: number;
    capacity?: number;
    /** Runs on the migrated database before anybody connects. */
    prepare?: (database: BenchDatabase) => Promise<void>;
  } = {},
): Promise<Scene> {
  const { tenants = 1, types = 1, capacity, prepare } = options;
  const database = await server.openDatabase();
  const ids = await openTenants(database, tenants);
  await prepare?.(database);
  const api = await startApi(database.url('tessera_app'));
  const sales: OnSale[] = [];
  const tokens = new Map<string, string[]>();
  for (const tenantId of ids) {
    tokens.set(tenantId, await issueTokens(tenantId));
    for (let left = types; left > 0; left -= 50)
      sales.push(
        ...(await openEvent(api, tenantId, {
          types: Math.min(left, 50),
          ...(capacity === undefined ? {} : { capacity }),
        })),
      );
  }
  return {
    database,
    api,
    sales,
    tokens,
    async end() {
      await api.stop();
      try {
        await checkBooks(database);
      } finally {
        await database.drop();
      }
    },
  };
}

/** A database like that of a scene for pgbench alone; nobody checks its books. */
export async function openNaiveScene(
  server: BenchServer,
  options: { tenants?: number; types?: number } = {},
): Promise<{
  database: BenchDatabase;
  sales: OnSale[];
  variables: Record<string, string>;
  end(): Promise<void>;
}> {
  const scene = await openScene(server, options);
  await scene.api.stop();
  const [{ tenantId, eventId, typeId }] = scene.sales as [OnSale];
  return {
    database: scene.database,
    sales: scene.sales,
    variables: { tenant: tenantId, event: eventId, type: typeId },
    end: () => scene.database.drop(),
  };
}

/** A pgbench script of this folder. */
export function readScript(name: string): Promise<string> {
  return readFile(new URL(`../sql/${name}.sql`, import.meta.url), 'utf8');
}
