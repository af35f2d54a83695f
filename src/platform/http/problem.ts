import type { Context } from 'hono';
import { HTTPException } from 'hono/http-exception';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { DomainError, type ErrorKind } from '../errors.ts';
import { notJson } from './read-json.ts';

/** An RFC 9457 problem document. `code` is stable and for programs, `detail` is for people. */
export type Problem = {
  type: string;
  title: string;
  status: number;
  code: string;
  detail: string;
  requestId?: string;
  errors?: { path: string; code: string; message: string }[];
  [member: string]: unknown;
};

const kinds: Record<ErrorKind, { status: ContentfulStatusCode; title: string }> = {
  invalid: { status: 400, title: 'Bad request' },
  unauthenticated: { status: 401, title: 'Unauthorized' },
  payment_required: { status: 402, title: 'Payment required' },
  forbidden: { status: 403, title: 'Forbidden' },
  not_found: { status: 404, title: 'Not found' },
  method_not_allowed: { status: 405, title: 'Method not allowed' },
  conflict: { status: 409, title: 'Conflict' },
  precondition_failed: { status: 412, title: 'Precondition failed' },
  too_large: { status: 413, title: 'Content too large' },
  unsupported_media_type: { status: 415, title: 'Unsupported media type' },
  unprocessable: { status: 422, title: 'Unprocessable content' },
  rate_limited: { status: 429, title: 'Too many requests' },
  unavailable: { status: 503, title: 'Service unavailable' },
};

/** What the framework refuses before any of our own code sees it. */
const codes: Record<number, string> = { 400: 'malformed_body' };
const details: Record<number, string> = {
  400: 'The body is missing, or it is not JSON.',
  415: 'The body must be of a media type that this route takes, such as application/json.',
};

/** The problem that an error is to the outside. An unknown error shows nothing of itself. */
export function toProblem(error: unknown, requestId?: string): Problem {
  if (error instanceof DomainError) {
    const { status, title } = kinds[error.kind];
    const { errors, extra } = error.details;
    return {
      type: 'about:blank',
      title,
      status,
      code: error.code,
      detail: error.message,
      ...(errors ? { errors } : {}),
      ...extra,
      ...(requestId ? { requestId } : {}),
    };
  }
  const status = error instanceof HTTPException ? error.status : 500;
  const byStatus = Object.entries(kinds).find(([, kind]) => kind.status === status);
  const refused = status < 500;
  return {
    type: 'about:blank',
    title: byStatus?.[1].title ?? (refused ? 'Request refused' : 'Internal server error'),
    status,
    code: codes[status] ?? byStatus?.[0] ?? (refused ? 'refused' : 'internal_error'),
    detail:
      refused || byStatus
        ? (details[status] ?? 'The request was refused.')
        : 'Something went wrong on our side.',
    ...(requestId ? { requestId } : {}),
  };
}

/** Answers with a problem document and the headers that belong to it. */
export async function problemResponse(c: Context, thrown: unknown): Promise<Response> {
  const error = await explain(c, thrown);
  const problem = toProblem(error, c.get('requestId'));
  const headers: Record<string, string> = { 'content-type': 'application/problem+json' };
  if (error instanceof DomainError && error.details.retryAfter !== undefined) {
    headers['retry-after'] = String(error.details.retryAfter);
  }
  if (problem.status === 401) headers['www-authenticate'] = 'Bearer';
  return c.body(JSON.stringify(problem), problem.status as ContentfulStatusCode, headers);
}

/** The framework says no more than that a body is no JSON. A body is parsed once, so what is wrong is sought only now. */
async function explain(c: Context, error: unknown): Promise<unknown> {
  if (!(error instanceof HTTPException) || error.status !== 400) return error;
  const text = await c.req.bodyCache.text;
  return typeof text === 'string' ? notJson(text) : error;
}
