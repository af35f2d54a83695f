import { expect } from 'vitest';
import type { TestContext } from '../../support/test-context.ts';

type Answer = { status: number; body: unknown; headers: Headers };

/** An answer that is a complete problem document with this status and code. */
export function expectProblem(answer: Answer, status: number, code: string): void {
  expect(answer.body).toMatchObject({
    type: 'about:blank',
    title: expect.stringMatching(/\S/),
    status,
    code,
    detail: expect.stringMatching(/\S/),
    requestId: answer.headers.get('x-request-id'),
  });
  expect(answer.status).toBe(status);
  expect(answer.headers.get('content-type')).toBe('application/problem+json');
}

/** A problem without what differs from request to request: two of them are compared by it. */
export function withoutRequestId(answer: Answer): Record<string, unknown> {
  const { requestId, ...rest } = answer.body as Record<string, unknown>;
  return { ...rest, httpStatus: answer.status };
}

/** A digest of every row of every table: equal before and after means that nothing was written. */
export async function digestDatabase(ctx: TestContext): Promise<string> {
  const { owner } = ctx.database;
  const tables = await owner.query(
    "select quote_ident(table_name) as name from information_schema.tables where table_schema = 'public' and table_type = 'BASE TABLE' order by 1",
  );
  const digests = tables.rows.map(
    ({ name }) => `(select coalesce(md5(string_agg(t::text, ',' order by t::text)), '') from ${name} t)`,
  );
  const { rows } = await owner.query(`select md5(concat(${digests.join(', ')})) as digest`);
  return rows[0].digest;
}
