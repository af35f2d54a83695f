import { type Logger, pino } from 'pino';

export type { Logger };

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
      // For what a child logger binds; what is logged has been redacted before.
      redact: { paths: [...SECRET_WORDS, ...SECRET_NAMES], censor: CENSORED },
      serializers: { err: (described: unknown) => described },
      formatters: { level: (label) => ({ level: label }) },
      hooks: {
        logMethod([first, ...rest]: unknown[], method) {
          const isError = first instanceof Error;
          const line: unknown[] = [isError ? { err: redact(first) } : redact(first)];
          if (isError && rest.length === 0) line.push(scrub(first.message));
          method.apply(this, [...line, ...rest.map((part) => redact(part))] as [string]);
        },
      },
    },
    pino.destination({ dest: options.destination ?? 1, sync: true, mkdir: true }),
  );
}

const CENSORED = '[redacted]';
const MAX_DEPTH = 8;

/** A member is a secret, or somebody's own business, when its name has one of these in it, in any spelling … */
const SECRET_WORDS = [
  'authorization',
  'password',
  'secret',
  'token',
  'cookie',
  'apiKey',
  'privateKey',
  'email',
  'phone',
  'customerName',
  'holderName',
];
/** … or is one of these. */
const SECRET_NAMES = ['qr', 'notes', 'jwt'];

const PLAIN_WORDS = SECRET_WORDS.map((word) => word.toLowerCase());

function isSecret(name: string): boolean {
  const plain = name.toLowerCase().replace(/[_-]/g, '');
  return SECRET_NAMES.includes(plain) || PLAIN_WORDS.some((word) => plain.includes(word));
}

/** A copy without secrets; what is nested deeper than anybody reads is left out. */
function redact(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return scrub(value);
  if (typeof value === 'bigint') return String(value);
  if (typeof value !== 'object' || value === null || value instanceof Date) return value;
  if (depth > MAX_DEPTH || ArrayBuffer.isView(value)) return '[left out]';
  if (value instanceof Error) return describe(value, depth);
  if (Array.isArray(value)) return value.map((item) => redact(item, depth + 1));
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [
      name,
      isSecret(name) && member !== undefined && member !== null ? CENSORED : redact(member, depth + 1),
    ]),
  );
}

/** Of an error its place and its codes. PostgreSQL puts whole rows into `detail` and `where`: they stay out. */
function describe(error: Error, depth: number): Record<string, unknown> {
  const { code, kind, constraint, table } = error as Error & Record<string, unknown>;
  const codes = Object.entries({ code, kind, constraint, table }).filter(
    ([, text]) => typeof text === 'string',
  );
  return {
    type: error.constructor.name,
    message: scrub(error.message),
    stack: scrub(error.stack ?? ''),
    ...Object.fromEntries(codes),
    ...(error.cause === undefined ? {} : { cause: redact(error.cause, depth + 1) }),
    ...(error instanceof AggregateError ? { errors: redact(error.errors, depth + 1) } : {}),
  };
}

/** Secrets and addresses that stand in the middle of a text. */
const IN_TEXT: [RegExp, string][] = [
  [/:\/\/[^\s/@]{1,512}@/g, `://${CENSORED}@`],
  [/\b(Bearer|Basic)\s+\S+/gi, `$1 ${CENSORED}`],
  [/\btk_live_\S+/g, CENSORED],
  [/\b(sk|rk|whsec)_\w{8,}/g, CENSORED],
  [/\beyJ[\w-]+\.[\w-]+\.[\w-]*/g, CENSORED],
  [/[\w.+-]{1,64}@[a-z\d-]{1,63}(\.[a-z\d-]{1,63}){0,8}\.[a-z]{2,63}/gi, CENSORED],
];

function scrub(text: string): string {
  let scrubbed = text;
  for (const [pattern, replacement] of IN_TEXT) scrubbed = scrubbed.replace(pattern, replacement);
  return scrubbed;
}
