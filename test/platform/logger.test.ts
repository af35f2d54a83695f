import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { DomainError } from '../../src/platform/errors.ts';
import { createLogger, type Logger } from '../../src/platform/logger.ts';

let folder: string;
let log: Logger;
let read: () => Promise<Record<string, unknown>[]>;

beforeAll(async () => {
  folder = await mkdtemp(`${tmpdir()}/tessera-log-`);
  const file = `${folder}/log`;
  log = createLogger({ level: 'debug', process: 'test', destination: file });
  read = async () =>
    (await readFile(file, 'utf8'))
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line));
});
afterAll(() => rm(folder, { recursive: true }));

/** What became of the last line. */
async function lastLine(): Promise<Record<string, unknown>> {
  return (await read()).at(-1) ?? {};
}

const CANARY = 'c4n4ry';

describe('a line', () => {
  it('says when, how grave, which process and what', async () => {
    log
      .child({ requestId: 'r-1', tenantId: 't-1' })
      .warn({ status: 503, ms: 12, list: [1n], at: null }, 'late');
    expect(await lastLine()).toEqual({
      level: 'warn',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      process: 'test',
      requestId: 'r-1',
      tenantId: 't-1',
      status: 503,
      ms: 12,
      list: ['1'],
      at: null,
      msg: 'late',
    });
  });

  it('is not written below the level', async () => {
    const before = (await read()).length;
    log.trace('nothing');
    expect((await read()).length).toBe(before);
  });

  it.each([
    'authorization',
    'Authorization',
    'password',
    'token',
    'accessToken',
    'device_token',
    'secret',
    'client_secret',
    'STRIPE_SECRET_KEY',
    'apiKey',
    'api_key',
    'privateKey',
    'set-cookie',
    'email',
    'customerEmail',
    'customer_email',
    'customerName',
    'customer_name',
    'holderName',
    'phone',
    'customer_phone',
    'qr',
    'jwt',
    'notes',
  ])('holds back %s, however deep it lies', async (name) => {
    const member = { [name]: CANARY };
    log.info({ ...member, a: member, list: [{ b: { c: { d: { e: [member] } } } }] }, 'said');
    const line = await lastLine();
    expect(JSON.stringify(line)).not.toContain(CANARY);
    expect(line).toMatchObject({
      [name]: '[redacted]',
      a: { [name]: '[redacted]' },
      list: [{ b: { c: { d: { e: [{ [name]: '[redacted]' }] } } } }],
    });
  });

  it('holds back what a child logger was bound to', async () => {
    log.child({ token: CANARY, email: CANARY, requestId: 'r' }).info('said');
    const line = await lastLine();
    expect(JSON.stringify(line)).not.toContain(CANARY);
    expect(line.requestId).toBe('r');
  });

  it.each([
    ['a password in a URL', `connecting to postgres://app:${CANARY}@db/tessera`],
    ['a bearer token', `401 for Bearer ${CANARY}.x.y`],
    ['an API key', `no key tk_live_${CANARY}`],
    [
      'a key of the payment provider',
      `sk_live${CANARY} and whsec_${CANARY}${CANARY}`.replace('sk_live', 'sk_live_'),
    ],
    ['an access token', `bad eyJhbGciOi.eyJzdWIi${CANARY}.c2lnbmF0dXJl`],
    ['an e-mail address', `mail to ${CANARY}@example.com failed`],
  ])('holds back %s in the middle of a text', async (_what, text) => {
    for (const write of [
      () => log.info({ detail: { text } }, 'said'),
      () => log.info(text),
      () => log.info({ n: 1 }, text),
      () => log.info('said %s', text),
      () => log.error(new Error(text)),
      () => log.error({ err: new Error(text) }, 'said'),
      () => log.error({ err: new Error('outer', { cause: new Error(text) }) }, 'said'),
      () => log.error({ failure: { inner: new AggregateError([new Error(text)], 'several') } }, 'said'),
    ]) {
      write();
      const line = JSON.stringify(await lastLine());
      expect(line).not.toContain(CANARY);
      expect(line).toContain('[redacted]');
    }
  });

  it('keeps of an error what finds it: type, text, codes, stack and cause', async () => {
    const cause = Object.assign(new TypeError('socket'), { code: 'ECONNRESET', response: { body: CANARY } });
    log.error(
      { err: new DomainError('unavailable', 'rpc_unavailable', 'No answer.').withCause(cause) },
      'failed',
    );
    const line = await lastLine();
    expect(line).toMatchObject({
      err: {
        type: 'DomainError',
        message: 'No answer.',
        code: 'rpc_unavailable',
        kind: 'unavailable',
        stack: expect.stringContaining('logger.test.ts'),
        cause: { type: 'TypeError', message: 'socket', code: 'ECONNRESET' },
      },
    });
    expect(JSON.stringify(line)).not.toContain(CANARY);
  });

  it('holds back the row that PostgreSQL shows with an error', async () => {
    const client = new pg.Client({ connectionString: inject('postgres') });
    await client.connect();
    await client.query(
      'create temporary table guests (name text, age integer check (age > 0), unique (name))',
    );
    await client.query('insert into guests values ($1, 1)', [CANARY]);
    for (const age of [0, 1]) {
      const error = await client
        .query('insert into guests values ($1, $2)', [CANARY, age])
        .catch((failure) => failure);
      expect(error.detail).toContain(CANARY);
      log.error({ err: error }, 'failed');
      const line = await lastLine();
      expect(line).toMatchObject({ err: { code: age ? '23505' : '23514', table: 'guests' } });
      expect(JSON.stringify(line)).not.toContain(CANARY);
    }
    await client.end();
  });

  it('survives what goes round in circles and what is deeper than anybody reads', async () => {
    const circle: Record<string, unknown> = { secret: CANARY };
    circle.self = circle;
    log.info({ circle, bytes: Buffer.from(CANARY) }, 'said');
    const line = JSON.stringify(await lastLine());
    expect(line).toContain('[left out]');
    expect(line).not.toContain(CANARY);
  });

  it('does not change what it was given', () => {
    const given = { email: 'a@example.com', nested: { token: 't' } };
    log.info(given, 'said');
    expect(given).toEqual({ email: 'a@example.com', nested: { token: 't' } });
  });

  it('takes a long text without stopping the process', () => {
    const started = performance.now();
    log.info(
      { text: 'a'.repeat(200_000), more: `://${'x'.repeat(100_000)}`, dots: 'a.'.repeat(100_000) },
      'long',
    );
    expect(performance.now() - started).toBeLessThan(1_000);
  });
});
