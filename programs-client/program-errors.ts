import { IDL } from './wire.ts';

/** Whether sending the same again later may work, or never will. */
export type ErrorKind = 'retryable' | 'final';

export type ProgramError = { code: number; name: string; message: string; kind: ErrorKind };

/** What passes by itself: a pause ends, a window opens. */
const RETRYABLE = new Set(['Paused', 'TooEarly', 'EventNotOver']);

/** Every error of the program by its code, from 6000 on. */
export const programErrors: ReadonlyMap<number, ProgramError> = new Map(
  (IDL.errors ?? []).map(({ code, name, msg }) => [
    code,
    { code, name, message: msg ?? '', kind: RETRYABLE.has(name) ? 'retryable' : 'final' },
  ]),
);

export type DecodedError = {
  code: number;
  name: string;
  kind: ErrorKind;
  instructionIndex?: number | undefined;
};

/**
 * The program's error in whatever carries one: a transaction's `err` (`{InstructionError: [i, {Custom: code}]}`), a
 * simulation's or status' value with such an `err`, a `SendTransactionError`, or any error whose message names the
 * code. Undefined for everything else, also for custom codes of other programs below 6000.
 */
export function decodeProgramError(err: unknown): DecodedError | undefined {
  const found = fromTransactionError(err) ?? fromMessage(err);
  const known = found && programErrors.get(found.code);
  if (found === undefined || known === undefined) return undefined;
  const { instructionIndex } = found;
  return {
    code: known.code,
    name: known.name,
    kind: known.kind,
    ...(instructionIndex !== undefined && { instructionIndex }),
  };
}

type Found = { code: number; instructionIndex?: number | undefined };

function fromTransactionError(err: unknown): Found | undefined {
  if (typeof err !== 'object' || err === null) return undefined;
  const nested = (err as { err?: unknown; value?: unknown }).err ?? (err as { value?: unknown }).value;
  if (nested != null) return fromTransactionError(nested);
  const pair = (err as { InstructionError?: unknown }).InstructionError;
  if (!Array.isArray(pair)) return undefined;
  const code = (pair[1] as { Custom?: unknown } | null)?.Custom;
  return isNumber(code) ? { code: Number(code), instructionIndex: Number(pair[0]) } : undefined;
}

/** "Error processing Instruction 1: custom program error: 0x1771", in the message or the logs. */
function fromMessage(err: unknown): Found | undefined {
  const { message, logs } = (typeof err === 'string' ? { message: err } : (err ?? {})) as Record<
    string,
    unknown
  >;
  const text = [message, ...(Array.isArray(logs) ? logs : [])]
    .filter((one) => typeof one === 'string')
    .join('\n');
  const code = /custom program error: (0x[0-9a-f]+)/i.exec(text)?.[1] ?? /"Custom":\s*(\d+)/.exec(text)?.[1];
  if (code === undefined) return undefined;
  const index = /Instruction (\d+)/.exec(text)?.[1] ?? /"InstructionError":\s*\[\s*(\d+)/.exec(text)?.[1];
  return { code: Number(code), ...(index !== undefined && { instructionIndex: Number(index) }) };
}

function isNumber(value: unknown): value is number | bigint {
  return typeof value === 'number' || typeof value === 'bigint';
}
