import { once } from 'node:events';
import { WebSocket } from 'ws';
import { waitFor } from '../../../src/platform/retry.ts';

/** What a node answered, as it stands on the wire. */
export type Answer = { status: number; type: string; text: string; headers: Headers };
export type Failure = { code: number; message: string; data?: unknown };
// biome-ignore lint/suspicious/noExplicitAny: answers of a node have the shapes that the tests are there to check
export type Json = any;

/** A JSON-RPC client without a library between a test and the wire. */
export type RawRpc = {
  url(): string;
  /** The result; rejects with a `Failure`. */
  ask(method: string, ...params: unknown[]): Promise<Json>;
  /** The error of a call that has to fail. */
  refused(method: string, ...params: unknown[]): Promise<Failure>;
  post(body: unknown, headers?: Record<string, string>): Promise<Answer>;
  /** Asks until the answer is to `wanted`'s liking. */
  until(what: string, method: string, params: unknown[], wanted: (result: Json) => boolean): Promise<Json>;
};

const JSON_TYPE = { 'content-type': 'application/json' };
const PATIENCE = { timeoutMs: 60_000, everyMs: 25 };

export function rawRpc(url: () => string): RawRpc {
  async function post(body: unknown, headers: Record<string, string> = JSON_TYPE): Promise<Answer> {
    const sent = typeof body === 'string' ? body : JSON.stringify(body);
    const response = await fetch(url(), { method: 'POST', headers, body: sent, redirect: 'manual' });
    const type = response.headers.get('content-type') ?? '';
    return { status: response.status, type, text: await response.text(), headers: response.headers };
  }
  async function call(method: string, params: unknown[]): Promise<{ result?: Json; error?: Failure }> {
    return JSON.parse((await post({ jsonrpc: '2.0', id: 1, method, params })).text);
  }
  const rpc: RawRpc = {
    url,
    post,
    async ask(method, ...params) {
      const { result, error } = await call(method, params);
      if (error) throw error;
      return result;
    },
    async refused(method, ...params) {
      const { result, error } = await call(method, params);
      if (error === undefined) throw new Error(`${method} answered ${JSON.stringify(result)}`);
      return error;
    },
    async until(what, method, params, wanted) {
      const result = await waitFor(async () => {
        const answer = await rpc.ask(method, ...params);
        return wanted(answer) ? { answer } : undefined;
      }, PATIENCE);
      if (!result) throw new Error(`${what} did not come within ${PATIENCE.timeoutMs / 1000} s`);
      return result.answer;
    },
  };
  return rpc;
}

export type RawSocket = {
  /** All that came, in order. */
  heard: Json[];
  ask(method: string, ...params: unknown[]): Promise<Json>;
  refused(method: string, ...params: unknown[]): Promise<Failure>;
  /** The first notification of that kind which is to `wanted`'s liking, already heard or to come. */
  notified(kind: string, wanted?: (result: Json) => boolean): Promise<Json>;
  close(): void;
};

export async function rawSocket(url: string): Promise<RawSocket> {
  const socket = new WebSocket(url);
  const heard: Json[] = [];
  socket.on('message', (data) => heard.push(JSON.parse(String(data))));
  await once(socket, 'open');
  let asked = 0;

  async function call(method: string, params: unknown[]): Promise<{ result?: Json; error?: Failure }> {
    const id = `q${++asked}`;
    socket.send(JSON.stringify({ jsonrpc: '2.0', id, method, params }));
    return until(`the answer to ${method}`, (message) => message.id === id);
  }
  async function until(what: string, wanted: (message: Json) => boolean): Promise<Json> {
    const found = await waitFor(async () => {
      const message = heard.find(wanted);
      if (!message && socket.readyState === WebSocket.CLOSED) throw new Error('the socket is closed');
      return message;
    }, PATIENCE);
    if (found === undefined) throw new Error(`${what} did not come within ${PATIENCE.timeoutMs / 1000} s`);
    return found;
  }

  return {
    heard,
    async ask(method, ...params) {
      const { result, error } = await call(method, params);
      if (error) throw error;
      return result;
    },
    async refused(method, ...params) {
      const { result, error } = await call(method, params);
      if (error === undefined) throw new Error(`${method} answered ${JSON.stringify(result)}`);
      return error;
    },
    async notified(kind, wanted = () => true) {
      const isIt = (message: Json) =>
        message.method === `${kind}Notification` && wanted(message.params.result);
      return (await until(`a ${kind} notification`, isIt)).params;
    },
    close: () => socket.close(),
  };
}
