import type { Actor } from '../actor.ts';

/** What the middleware leaves in a request's context. */
export type AppEnv = { Variables: { requestId: string; actor: Actor } };
