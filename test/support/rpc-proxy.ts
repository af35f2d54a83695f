import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

type Request = { id: unknown; method: string; params?: unknown[] };
/**
 * What a fault makes of a request: an answer or a refusal of its own, a change of what the node answers, a broken
 * connection, or nothing unusual.
 */
type Fault = (request: Request) =>
  | { result: unknown }
  | { error: { code: number; message: string } }
  // biome-ignore lint/suspicious/noExplicitAny: whatever the node answers
  | { change: (result: any) => unknown }
  | 'break'
  | undefined;

export type RpcProxy = {
  url: string;
  /** Methods asked for since the proxy started, in order. */
  asked: string[];
  /** Puts a fault in; returns what takes it out again. */
  fault(fault: Fault): () => void;
  close(): Promise<void>;
};

/** A node between us and the real one that misbehaves when it is told to. */
export async function startRpcProxy(target: string): Promise<RpcProxy> {
  const faults = new Set<Fault>();
  const asked: string[] = [];
  const server: Server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks).toString('utf8');
    const call = JSON.parse(body) as Request;
    asked.push(call.method);
    let change = (result: unknown): unknown => result;
    for (const fault of faults) {
      const effect = fault(call);
      if (effect === 'break') {
        request.socket.destroy();
        return;
      }
      if (effect && 'change' in effect) change = effect.change;
      else if (effect) {
        response.setHeader('content-type', 'application/json');
        response.end(JSON.stringify({ jsonrpc: '2.0', id: call.id, ...effect }));
        return;
      }
    }
    const answer = await fetch(target, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    });
    response.statusCode = answer.status;
    response.setHeader('content-type', 'application/json');
    const answered = (await answer.json()) as { result?: unknown };
    if ('result' in answered) answered.result = change(answered.result);
    response.end(JSON.stringify(answered));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    asked,
    fault(fault) {
      faults.add(fault);
      return () => void faults.delete(fault);
    },
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
