/** What went wrong, in the words of the domain; only `http/problem.ts` turns a kind into a status. */
export type ErrorKind =
  | 'invalid'
  | 'unauthenticated'
  | 'payment_required'
  | 'forbidden'
  | 'not_found'
  | 'method_not_allowed'
  | 'conflict'
  | 'precondition_failed'
  | 'unprocessable'
  | 'too_large'
  | 'unsupported_media_type'
  | 'rate_limited'
  | 'unavailable';

export type ErrorDetails = {
  /** Seconds after which asking again may succeed. */
  retryAfter?: number;
  /** Fields at fault: where each is, e.g. `json/quantity`, or `body` for all of it, and in what way it is wrong, e.g. `too_big`. */
  errors?: { path: string; code: string; message: string }[];
  /** More members of the problem document, all safe to show. */
  extra?: Record<string, unknown>;
};

/** A refusal that the caller can act upon. `code` is stable, `message` may change. */
export class DomainError extends Error {
  readonly kind: ErrorKind;
  readonly code: string;
  readonly details: ErrorDetails;

  constructor(kind: ErrorKind, code: string, message: string, details: ErrorDetails = {}) {
    super(message);
    this.name = 'DomainError';
    this.kind = kind;
    this.code = code;
    this.details = details;
  }

  /** Keeps what was caught, for the log; it is never shown. */
  withCause(cause: unknown): this {
    this.cause = cause;
    return this;
  }
}

/** Thrown by workers: the same job may succeed later. Every other error parks the job. */
export class RetryableError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'RetryableError';
  }
}

/** Missing and foreign look the same to the caller. */
export function notFound(what: string): DomainError {
  return new DomainError('not_found', 'not_found', `There is no such ${what}.`);
}
