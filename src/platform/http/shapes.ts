import { z } from '@hono/zod-openapi';
import { isCurrency } from '../money.ts';
import { exampleIds } from './example-ids.ts';
import { isClean } from './read-json.ts';

/** Text of `min` to `max` characters, without NUL or half a surrogate pair. */
export function text(max: number, min = 0) {
  return z.string().min(min).max(max).refine(isClean, 'must be text');
}

/** The same on one line, without control characters or such as turn the direction of writing. */
export function line(max: number, min = 0) {
  return text(max, min).refine(
    (value) => !/[\p{Cc}\p{Zl}\p{Zp}\u200e\u200f\u202a-\u202e\u2066-\u2069]/u.test(value),
    {
      message: 'must be one line without control characters',
    },
  );
}

export const uuid = z
  .uuid()
  .transform((id) => id.toLowerCase())
  .openapi({ type: 'string', format: 'uuid' });

const EARLIEST = Date.UTC(1970, 0, 1);
const LATEST = Date.UTC(2200, 0, 1);

/** An instant, ISO 8601 with an offset; read as a Date. */
export const instant = z.iso
  .datetime({ offset: true })
  .transform((value) => new Date(value))
  .refine((date) => date.getTime() >= EARLIEST && date.getTime() < LATEST, 'must lie between 1970 and 2200')
  .openapi({ type: 'string', format: 'date-time' });

export const flag = z
  .enum(['true', 'false'])
  .transform((value) => value === 'true')
  .openapi({ type: 'boolean' });

/** An amount in minor units (cents), at most 10 thousand million major units. */
export const minorAmount = z.int().min(0).max(1_000_000_000_000);

export const currency = z
  .string()
  .regex(/^[A-Z]{3}$/, 'must be an ISO 4217 code')
  .refine(isCurrency, 'must be an ISO 4217 code');

/** The id in a path, with the example of what it is an id of. */
export function idOf(name: keyof typeof exampleIds) {
  return z.object({ id: uuid.openapi({ param: { example: exampleIds[name] } }) });
}

export const pageQuery = {
  limit: z.coerce.number().int().min(1).max(100).default(50),
  cursor: text(500).optional(),
};

export const idempotencyHeader = z.object({
  'idempotency-key': z
    .string({ error: 'Idempotency-Key is required' })
    .regex(/^[\x21-\x7e]{1,255}$/, 'must be 1 to 255 visible ASCII characters')
    .openapi({ param: { example: '7f1c0e0a-4d0f-4a53-9a52-3c1f0a6b8e11' } }),
});

export const ifMatchHeader = z.object({
  'if-match': text(1_000)
    .optional()
    .openapi({ description: 'The ETag of what is to change, as GET gave it: refuse when it changed since' }),
});

/** The documents of problems that a route may answer with, for its OpenAPI description. */
export function problems<const S extends number>(...statuses: S[]) {
  const content = { 'application/problem+json': { schema: problemShape } };
  return Object.fromEntries(
    statuses.map((status) => [status, { description: reasons[status] ?? 'Error', content }]),
  ) as {
    [K in S]: { description: string; content: typeof content };
  };
}

const problemShape = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    code: z.string().openapi({
      description:
        'Stable; programs decide on it. docs/errors.md lists the codes, and what further members come with them',
    }),
    detail: z.string(),
    requestId: z.string().optional(),
    errors: z
      .array(
        z.object({
          path: z.string().openapi({ description: 'E.g. json/quantity; body for all of it' }),
          code: z.string().openapi({ description: 'E.g. too_big' }),
          message: z.string(),
        }),
      )
      .optional()
      .openapi({ description: 'With validation_failed: the fields at fault' }),
  })
  .catchall(z.unknown())
  .openapi('Problem');

const reasons: Record<number, string> = {
  400: 'The request does not have the required form',
  401: 'No valid token',
  402: 'The payment was refused',
  403: 'Not allowed for this role',
  404: 'Unknown, or of another tenant',
  409: 'The state of things does not allow it',
  412: 'It is not as If-Match says any more',
  413: 'The body is too large',
  415: 'The body is of another media type',
  422: 'The idempotency key was used with another request',
  429: 'Too many requests',
  503: 'A dependency does not answer; try again after Retry-After seconds',
};

/** A body, with an example that succeeds. */
export function body<T extends z.ZodType>(schema: T, example: z.input<T>) {
  return { content: { 'application/json': { schema, example } }, required: true };
}

/** A JSON merge patch (RFC 7396): what it names changes, null takes away. */
export function patchBody<T extends z.ZodType>(schema: T, example: z.input<T>) {
  return {
    content: {
      'application/json': { schema, example },
      'application/merge-patch+json': { schema, example },
    },
    required: true,
  };
}

export function answer<T extends z.ZodType>(schema: T, description: string) {
  return { content: { 'application/json': { schema } }, description };
}

export function pageOf<T extends z.ZodType>(item: T) {
  return z.object({ items: z.array(item), nextCursor: z.string().nullable() });
}
