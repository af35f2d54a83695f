import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type App, createApp } from '../../src/api/app.ts';
import { readSeatCsv } from '../../src/domain/seats/read-csv.ts';
import { openWorld, type World } from '../http/support/operations.ts';
import { expectProblem } from '../http/support/problems.ts';
import {
  createTestContext,
  createTestTenant,
  issueToken,
  type TestContext,
  type TestTenant,
} from '../support/test-context.ts';

const MIB = 1024 * 1024;
let ctx: TestContext;
let app: App;
let tenant: TestTenant;
let world: World;

beforeAll(async () => {
  ctx = await createTestContext();
  app = createApp(ctx);
  tenant = await createTestTenant(ctx, app);
  world = await openWorld(ctx, tenant);
});
afterAll(() => ctx.close());

/** Seconds of processor time: those of the others on this machine do not count. */
async function cpuSeconds(work: () => unknown): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

describe('a seat map in CSV', () => {
  const header = 'section,row,seat,ticketTypeId';

  it('with 160,000 columns is refused at once', async () => {
    const names = Array.from({ length: 160_000 }, (_, i) => `c${i}`).join(',');
    const cpu = await cpuSeconds(() =>
      expect(readSeatCsv(`${header},${names}\n`)).rejects.toMatchObject({ code: 'bad_csv' }),
    );
    expect(cpu).toBeLessThan(3);
  });

  it('whose names or fields are long is refused, and the answer repeats none of them', async () => {
    const long = 'x'.repeat(MIB);
    for (const text of [
      `${header},${long},${long}\n`,
      `${header}\n${long}`,
      `${header}\n"${long}`,
      `${header}\n${','.repeat(MIB)}`,
    ]) {
      const error = await readSeatCsv(text).catch((refused: Error) => refused);
      expect(error).toMatchObject({ code: 'bad_csv' });
      expect((error as Error).message.length).toBeLessThan(300);
    }
  });

  it('of 50,000 seats is read without keeping others from their turn', async () => {
    const id = randomUUID();
    let text = `${header}\n`;
    for (let i = 0; i < 50_000; i++)
      text += `S${i % 50},${Math.floor(i / 50) % 100},${Math.floor(i / 5_000)},${id}\n`;
    let seats = 0;
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    const map = await readSeatCsv(text);
    clearInterval(timer);
    for (const { rows } of map.sections) for (const row of rows) seats += row.seats.length;
    expect(seats).toBe(50_000);
    expect(turns).toBeGreaterThan(10);
  });
});

describe('a body of JSON', () => {
  const put = async (body: string, type = 'application/json') => {
    const response = await app.request(`/api/events/${world.hall.eventId}/seat-map`, {
      method: 'PUT',
      headers: {
        authorization: `Bearer ${await issueToken({ tenantId: tenant.tenantId, subject: 'olga', role: 'organiser' })}`,
        'content-type': type,
      },
      body,
    });
    return { status: response.status, body: await response.json(), headers: response.headers };
  };

  it.each([
    ['one escape and a million numbers', () => `["\\u0041"${',1'.repeat(2 * MIB - 100)}]`],
    ['a million escapes', () => `["${'\\u0041'.repeat(699_000)}"]`],
    ['a million backslashes', () => `["\\u0041${'\\\\'.repeat(2 * MIB - 100)}"]`],
    ['one escape and a million lists', () => `["\\u0041"${',[]'.repeat(1_390_000)}]`],
    ['a million bad sections', () => `{"a":"\\u0041","sections":[1${',1'.repeat(2 * MIB - 100)}]}`],
    [
      'a million names',
      () => `{"\\u0041":1${Array.from({ length: 350_000 }, (_, i) => `,"${i}":1`).join('')}}`,
    ],
    ['a million bad rows', () => `{"sections":[{"name":"S\\u0041","rows":[{}${',{}'.repeat(1_300_000)}]}]}`],
    [
      'a million bad seats',
      () => `{"sections":[{"name":"S","rows":[{"label":"1","seats":[{}${',{}'.repeat(1_300_000)}]}]}]}`,
    ],
  ])('of 4 MiB with %s is answered in linear time', async (_name, make) => {
    const body = make();
    expect(body.length).toBeLessThanOrEqual(4 * MIB);
    const parse = vi.spyOn(JSON, 'parse');
    let answer: Awaited<ReturnType<typeof put>> | undefined;
    const cpu = await cpuSeconds(async () => {
      answer = await put(body);
    });
    // A function that is called for each value takes seconds where the parser alone takes a tenth of one.
    const calls = parse.mock.calls.filter(([text]) => text === body).map((call) => call.length);
    parse.mockRestore();
    expectProblem(answer as never, 400, 'validation_failed');
    expect(calls).toEqual([1]);
    expect(cpu).toBeLessThan(2);
  });

  it('is refused for half a pair or a NUL wherever an escape hides it', async () => {
    const { organiser } = tenant;
    for (const text of [
      '\\u0000',
      '\\\\\\u0000',
      '\\ud800',
      '\\udc00',
      '\\ud800x\\udc00',
      '\\ud800\\ud800\\udc00',
      '\\uD83D\\n\\uDE00',
      '\\ud83d\\\\ude00',
    ]) {
      for (const body of [`{"title":"${text}"}`, `{"${text}":1}`]) {
        expectProblem(await organiser.post('/events', body), 400, 'malformed_body');
      }
    }
    for (const text of ['\\\\u0000', '\\ud83d\\ude00', '\\\\ud800', '\\"\\u0041', '\\\\\\u0041']) {
      const answer = await organiser.post('/events', `{"title":"${text}"}`);
      expectProblem(answer, 400, 'validation_failed');
    }
  });
});

/** A body that counts how much of it was asked for. */
function upload(bytes: number) {
  const sent = { bytes: 0 };
  const body = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (sent.bytes >= bytes) return controller.close();
        sent.bytes += 65_536;
        controller.enqueue(new Uint8Array(65_536).fill(0x20));
      },
    },
    { highWaterMark: 0 },
  );
  return { sent, body };
}

describe('a body is not read', () => {
  it.each<[string, string, string, string, number]>([
    ['of a role that may not upload it', 'PUT', '/events/{id}/seat-map', 'buyer', 403],
    ['of a scanner who makes an event', 'POST', '/events', 'scanner', 403],
    ['where nothing is', 'POST', '/nothing/seat-map', 'organiser', 404],
    ['by a method that the address does not know', 'POST', '/events/{id}/seat-map', 'organiser', 405],
  ])('%s: %s %s by a %s is %i', async (_what, method, path, role, status) => {
    const { sent, body } = upload(4 * MIB);
    const token = await issueToken({ tenantId: tenant.tenantId, subject: 'x', role: role as 'buyer' });
    const response = await app.request(`/api${path.replace('{id}', world.hall.eventId)}`, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body,
      duplex: 'half',
    } as RequestInit);
    expect([response.status, sent.bytes]).toEqual([status, 0]);
  });

  it.each(['/events/seat-map', '/tickets/x/seat-map', '/events'])(
    'beyond 64 KiB where no seat map is uploaded: %s',
    async (path) => {
      const { sent, body } = upload(4 * MIB);
      const token = await issueToken({ tenantId: tenant.tenantId, subject: 'olga', role: 'organiser' });
      const response = await app.request(`/api${path}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body,
        duplex: 'half',
      } as RequestInit);
      expect([404, 405, 413]).toContain(response.status);
      expect(sent.bytes).toBeLessThanOrEqual(3 * 65_536);
    },
  );
});
