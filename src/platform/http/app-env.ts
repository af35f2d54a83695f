import type { Actor } from '../actor.ts';
import type { Logger } from '../logger.ts';

/** What the middleware leaves in a request's context. */
export type AppEnv = { Variables: { requestId: string; log: Logger; actor: Actor } };
