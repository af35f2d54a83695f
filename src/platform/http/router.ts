import { OpenAPIHono, type z } from '@hono/zod-openapi';
import { DomainError } from '../errors.ts';
import type { AppEnv } from './app-env.ts';

/** A router whose validation failures are problems like any other. */
export function createRouter(): OpenAPIHono<AppEnv> {
  return new OpenAPIHono<AppEnv>({
    defaultHook: (result) => {
      if (!result.success) throw validationFailed(result.error, result.target);
    },
  });
}

/** What the router does with a body, for a route that takes other types beside JSON. */
export function checkBody<S extends z.ZodType>(schema: S, body: unknown): z.infer<S> {
  const result = schema.safeParse(body);
  if (!result.success) throw validationFailed(result.error, 'json');
  return result.data;
}

function validationFailed(error: z.ZodError, target: string): DomainError {
  const errors = error.issues.flatMap((issue) => {
    const at = (...more: PropertyKey[]): string => {
      const path = [...issue.path, ...more];
      // What is wrong with the whole has no name within it.
      if (path.length === 0) return target === 'json' ? 'body' : target;
      return `${target}/${path.map(String).join('/')}`;
    };
    return issue.code === 'unrecognized_keys'
      ? issue.keys.map((key) => ({
          path: at(key.slice(0, 200)),
          code: 'unknown_field',
          message: 'There is no such field',
        }))
      : [{ path: at(), code: issue.code === 'custom' ? 'not_allowed' : issue.code, message: issue.message }];
  });
  return new DomainError('invalid', 'validation_failed', 'The request does not have the required form.', {
    errors: errors.slice(0, 20),
  });
}
