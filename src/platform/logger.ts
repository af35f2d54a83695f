import { type Logger, pino } from 'pino';

export type { Logger };

/** Paths that may hold a secret or personal data, wherever an object is logged. */
const REDACTED = [
  'authorization',
  'password',
  'secret',
  'token',
  'qr',
  'email',
  'phone',
  'customerName',
  'customerEmail',
  'customerPhone',
  'holderName',
  'notes',
].flatMap((key) => [key, `*.${key}`, `*.*.${key}`]);

/** JSON lines on stdout: time, level, process, and whatever the caller binds (requestId, messageId, tenantId). */
export function createLogger(options: {
  level: string;
  process: string;
  destination?: number | string;
}): Logger {
  return pino(
    {
      level: options.level,
      base: { process: options.process },
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: { paths: REDACTED, censor: '[redacted]' },
      formatters: { level: (label) => ({ level: label }) },
    },
    pino.destination({ dest: options.destination ?? 1, sync: true, mkdir: true }),
  );
}
