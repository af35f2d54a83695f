import type { ChainContext } from './chain-context.ts';
import type { Payers } from './payers.ts';

/** What the jobs that send have beside the rest: somebody who pays. */
export type SendingContext = ChainContext & { payers: Payers };
