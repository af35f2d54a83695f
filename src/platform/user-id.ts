import { isClean } from './http/read-json.ts';

/**
 * What we put before names that we give ourselves: a holder whom nobody here knows is `wallet:` and the address. Who came
 * under such a name would own what is meant for somebody else.
 */
const RESERVED = /^(wallet|api_key|worker|system):/i;

/** Whether a text names a user of the tenant's: 1 to 128 characters that can be stored, and no name that we give ourselves. */
export function isUserId(text: string): boolean {
  return text.length > 0 && text.length <= 128 && isClean(text) && !RESERVED.test(text);
}
