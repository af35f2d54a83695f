import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Call = { id: unknown; method: string; params: unknown[] };
/** The result of a call, or an error that is thrown as `{ code, message }`. */
export type Script = (call: Call) => unknown;
/** Answers a whole request in place of the script; false leaves it to the script. */
export type Raw = (body: string, response: ServerResponse) => boolean;

export type ScriptedNode = {
  url: string;
  asked: Call[];
  requests: number;
  raw?: Raw;
  close(): Promise<void>;
};

export const GENESIS = 'GenesisOfATestChain1111111111111111111111111';

/** An RPC node whose every answer a test decides. */
export async function startScriptedNode(script: Script): Promise<ScriptedNode> {
  const asked: Call[] = [];
  const answer = (call: Call): unknown => {
    asked.push(call);
    try {
      const result = call.method === 'getGenesisHash' ? (script(call) ?? GENESIS) : script(call);
      return { jsonrpc: '2.0', id: call.id, result: result ?? null };
    } catch (error) {
      return { jsonrpc: '2.0', id: call.id, error };
    }
  };
  const server = createServer(async (request, response) => {
    const body = await read(request);
    node.requests++;
    if (node.raw?.(body, response)) return;
    const calls = JSON.parse(body) as Call | Call[];
    response.setHeader('content-type', 'application/json');
    // In the opposite order: whoever takes answers by their place takes the wrong ones.
    response.end(JSON.stringify(Array.isArray(calls) ? calls.map(answer).reverse() : answer(calls)));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const node: ScriptedNode = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    requests: 0,
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
  return node;
}

async function read(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}
