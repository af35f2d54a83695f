import type { Clock } from '../platform/clock.ts';
import type { Refusal } from '../platform/http/refusal.ts';
import type { Logger } from '../platform/logger.ts';

/** Nobody fills the log with bad tokens: so many lines a second at most, and the next tells how many were left out. */
const LINES_PER_SECOND = 20;

const levels: Partial<Record<Refusal, 'debug' | 'warn'>> = { no_token: 'debug', keys_unavailable: 'warn' };

/** A function that notes why a token or key was refused, and nothing of the token itself. */
export function createRefusalLog(ctx: {
  log: Logger;
  clock: Clock;
}): (requestId: string, refusal: Refusal) => void {
  let second = 0;
  let lines = 0;
  return (requestId, refusal) => {
    const level = levels[refusal] ?? 'info';
    if (!ctx.log.isLevelEnabled(level)) return;
    const now = Math.floor(ctx.clock.now().getTime() / 1000);
    const leftOut = now === second ? 0 : lines - LINES_PER_SECOND;
    if (now !== second) [second, lines] = [now, 0];
    if (++lines > LINES_PER_SECOND) return;
    const more = leftOut > 0 ? { leftOut } : {};
    ctx.log[level]({ requestId, refusal, ...more }, 'unauthenticated request refused');
  };
}
