import type { AppContext } from '../../../context.ts';
import type { Db } from '../../../platform/db.ts';
import type { Rpc } from '../rpc/rpc.ts';

/** What the listener has: a database role of its own, no keys, no payments. */
export type ListenerContext = Pick<AppContext, 'cache' | 'clock' | 'log' | 'metrics' | 'failpoints'> & {
  db: Db;
  rpc: Rpc;
  programId: string;
};
