import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createApp } from '../../src/api/app.ts';
import { serveHttp } from '../../src/main/serve-http.ts';
import { createLogger } from '../../src/platform/logger.ts';
import { createMetrics } from '../../src/platform/metrics.ts';
import {
  createTestContext,
  createTestTenant,
  issueToken,
  type TestContext,
} from '../support/test-context.ts';

let ctx: TestContext;
const cleanUps: (() => unknown)[] = [];

beforeAll(async () => {
  ctx = await createTestContext();
});
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});
afterAll(() => ctx.close());

type Served = { port: number; running: number; most: number; ran: number };

/** Serves `answer` and counts what runs. */
async function serve(
  answer: (request: Request, env?: object) => Response | Promise<Response>,
  options: Partial<Parameters<typeof serveHttp>[1]> = {},
): Promise<Served> {
  const stop = new AbortController();
  const served = { port: 0, running: 0, most: 0, ran: 0 };
  const fetch = async (request: Request, env?: object) => {
    served.ran++;
    served.most = Math.max(served.most, ++served.running);
    try {
      return await answer(request, env);
    } finally {
      served.running--;
    }
  };
  const { url, closed } = await serveHttp(
    { fetch: fetch as never },
    {
      host: '127.0.0.1',
      port: 0,
      signal: stop.signal,
      ...options,
    },
  );
  cleanUps.push(() => {
    stop.abort();
    return closed;
  });
  served.port = Number(new URL(url).port);
  return served;
}

async function open(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  cleanUps.push(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;
const pause = (ms: number) => new Promise((done) => setTimeout(done, ms));

async function secondsUntilClosed(socket: Socket): Promise<number> {
  const start = performance.now();
  socket.resume();
  // A reset is an end as well, which `once` would throw.
  if (!socket.destroyed)
    await new Promise((resolve) => socket.on('error', () => undefined).once('close', resolve));
  return (performance.now() - start) / 1000;
}

/** What a caller reads until the connection ends. */
async function readAll(socket: Socket): Promise<string> {
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1');
  });
  socket.resume();
  if (!socket.destroyed) await once(socket, 'close');
  return text;
}

describe('pipelined requests', () => {
  it('run one after the other, and are answered in their order', async () => {
    const served = await serve(async (request) => {
      await pause(Math.random() * 10);
      return new Response(new URL(request.url).pathname);
    });
    const socket = await open(served.port);
    const paths = Array.from({ length: 12 }, (_, i) => `/number-${i}`);
    const last = get('/last').replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n');
    socket.write(paths.map(get).join('') + last);
    const text = await readAll(socket);
    expect([...text.matchAll(/\/(?:number-\d+|last)/g)].map(([path]) => path)).toEqual([...paths, '/last']);
    expect(served).toMatchObject({ ran: 13, most: 1 });
  });

  it('that are more than may wait end the connection, and none of them runs', async () => {
    const app = createApp(ctx);
    const served = await serve((request, env) => app.fetch(request, env));
    const before = process.memoryUsage().arrayBuffers;
    const sockets = await Promise.all(Array.from({ length: 20 }, () => open(served.port)));
    // 25 KiB, and nobody reads.
    for (const socket of sockets) {
      socket.pause();
      socket.write(get('/docs/swagger-ui-bundle.js').repeat(420));
    }
    await Promise.all(sockets.map(secondsUntilClosed));
    await pause(200);
    expect(served.ran).toBeLessThanOrEqual(20 * 17);
    expect(served.running).toBe(0);
    // 8,400 answers of 1.5 MB would be 12 GB.
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(40 * 1024 * 1024);
    expect((await fetch(`http://127.0.0.1:${served.port}/health/live`)).status).toBe(200);
  });

  it('do not run any more when the caller has gone', async () => {
    let release = () => {};
    const released = new Promise<void>((done) => {
      release = done;
    });
    const served = await serve(async () => {
      await released;
      return new Response('x');
    });
    const socket = await open(served.port);
    socket.write(get('/').repeat(10));
    await expect.poll(() => served.ran).toBe(1);
    socket.destroy();
    await pause(100);
    release();
    await pause(200);
    expect(served.ran).toBe(1);
  });
});

describe('an upload that breaks off', () => {
  it.each([
    ['of an event', '/api/events', 'Content-Length: 60000'],
    ['in pieces', '/api/events', 'Transfer-Encoding: chunked'],
    ['of a seat map', `/api/events/${randomUUID()}/seat-map`, 'Content-Length: 4000000'],
    ['of a notice', '/api/payments/webhook/test', 'Content-Length: 60000'],
  ])('%s is no error of ours', async (_what, path, length) => {
    const folder = await mkdtemp(`${tmpdir()}/tessera-log-`);
    const log = createLogger({ level: 'info', process: 'api', destination: `${folder}/api.log` });
    const metrics = createMetrics();
    const app = createApp({ ...ctx, log, metrics });
    const { tenantId } = await createTestTenant(ctx, app);
    const token = await issueToken({ tenantId, subject: 'olga', role: 'organiser' });
    const served = await serve((request, env) => app.fetch(request, env));
    const socket = await open(served.port);
    const method = path.endsWith('seat-map') ? 'PUT' : 'POST';
    const headers = `Host: x\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\n${length}\r\n`;
    socket.write(
      `${method} ${path} HTTP/1.1\r\n${headers}\r\n${length.startsWith('T') ? '400\r\n' : ''}{"title":`,
    );
    await expect.poll(() => served.running).toBe(1);
    await pause(100);
    socket.destroy();
    await expect.poll(() => served.running).toBe(0);
    const { values } = await metrics.httpDuration.get();
    const statuses = new Set(values.map(({ labels }) => String(labels.status)));
    expect([...statuses]).toEqual(['400']);
    const text = await readFile(`${folder}/api.log`, 'utf8');
    expect(text).not.toContain('request failed');
    await rm(folder, { recursive: true });
  });
});

describe('a connection ends', () => {
  it('when headers do not come within 5 s, nor a request within 10 s', async () => {
    const { port } = await serve(async (request) => new Response(await request.text()));
    const silent = await open(port);
    const slow = await open(port);
    const body = await open(port);
    slow.write('GET / HTTP/1.1\r\nHost: x\r\n');
    body.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n');
    const drip = setInterval(() => {
      if (!slow.destroyed) slow.write('X: y\r\n');
      if (!body.destroyed) body.write('x');
    }, 250);
    // A drop that meets the cut is answered with a reset, which is the end as well.
    for (const socket of [silent, slow, body]) socket.on('error', () => undefined);
    const [none, headers, whole] = await Promise.all([silent, slow, body].map(secondsUntilClosed));
    clearInterval(drip);
    for (const seconds of [none, headers]) {
      expect(seconds).toBeGreaterThan(4.5);
      expect(seconds).toBeLessThan(8);
    }
    expect(whole).toBeGreaterThan(9.5);
    expect(whole).toBeLessThan(13);
  });

  it('when its caller does not read what they asked for', async () => {
    const large = new Uint8Array(32 * 1024 * 1024);
    const { port } = await serve(() => new Response(large), { limits: { stalledMs: 500 } });
    const socket = await open(port);
    socket.pause();
    socket.write(get('/'));
    await pause(2_500);
    expect((await readAll(socket)).length).toBeLessThan(large.length);
  });

  it('when its caller reads, but takes for ever', async () => {
    const large = new Uint8Array(32 * 1024 * 1024);
    const { port } = await serve(() => new Response(large), { limits: { answerMs: 1_000 } });
    const socket = await open(port);
    let read = 0;
    socket.on('data', (chunk) => {
      read += chunk.length;
      socket.pause();
      setTimeout(() => socket.resume(), 50);
    });
    socket.write(get('/'));
    const start = performance.now();
    await once(socket, 'close');
    expect(performance.now() - start).toBeLessThan(20_000);
    expect(read).toBeLessThan(large.length);
  });

  it('at once when there are more than there may be', async () => {
    const { port } = await serve(() => new Response('x'), { maxConnections: 5 });
    const first = await Promise.all(Array.from({ length: 5 }, () => open(port)));
    const more = await Promise.all(Array.from({ length: 5 }, () => open(port)));
    for (const socket of more) expect(await secondsUntilClosed(socket)).toBeLessThan(2);
    for (const socket of first) expect(socket.destroyed).toBe(false);
  });
});
