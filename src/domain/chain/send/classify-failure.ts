import { decodeProgramError } from '../../../../programs-client/program-errors.ts';

/**
 * Why a transaction failed. `never`: our program says that it will not take it, now or later. `not_now`: it could not run,
 * because money, compute units, a blockhash or an account of the moment were missing; nothing is wrong with the job.
 */
export type Failure = { code: string; kind: 'never' | 'not_now' };

/** @param err what a simulation or a status carries, not null */
export function classifyFailure(err: unknown): Failure {
  const refusal = decodeProgramError(err);
  if (refusal) return { code: refusal.name, kind: refusal.kind === 'final' ? 'never' : 'not_now' };
  return { code: nameOf(err), kind: 'not_now' };
}

/** `InsufficientFundsForFee`, or `Custom 1 in instruction 2` for what another program answered. */
function nameOf(err: unknown): string {
  if (typeof err === 'string') return err;
  const pair = (err as { InstructionError?: unknown } | null)?.InstructionError;
  if (!Array.isArray(pair)) return JSON.stringify(err).slice(0, 200);
  const [at, what] = pair as [number, unknown];
  const name = typeof what === 'string' ? what : `Custom ${(what as { Custom?: unknown } | null)?.Custom}`;
  return `${name} in instruction ${at}`;
}
