import { once } from 'node:events';
import { connect, createServer, type Server } from 'node:net';

/** Makes `target` reachable under a port that people know. Rejects with the system's error when it cannot listen. */
export async function forwardPort(port: number, target: string): Promise<Server> {
  const { hostname, port: targetPort } = new URL(target);
  const server = createServer((incoming) => {
    const outgoing = connect(Number(targetPort), hostname);
    incoming.pipe(outgoing).pipe(incoming);
    incoming.on('error', () => outgoing.destroy());
    outgoing.on('error', () => incoming.destroy());
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

/** The ports of a Solana node, RPC and WebSocket beside it; then the next pairs, for a second node on one machine. */
const FIRST_PORT = 8_899;
const LAST_PORT = 8_997;

/** Makes a node reachable under the first pair of ports that is free; under its own where there is none. */
export async function forwardNode(node: {
  rpcUrl: string;
  wsUrl: string;
}): Promise<{ rpcUrl: string; wsUrl: string; close(): void }> {
  for (let port = FIRST_PORT; port <= LAST_PORT; port += 2) {
    const rpc = await forwardPort(port, node.rpcUrl).catch(() => undefined);
    const ws = rpc && (await forwardPort(port + 1, node.wsUrl).catch(() => undefined));
    if (rpc && ws) {
      const close = (): void => [rpc, ws].forEach((server) => void server.close());
      return { rpcUrl: `http://127.0.0.1:${port}`, wsUrl: `ws://127.0.0.1:${port + 1}`, close };
    }
    rpc?.close();
  }
  return { ...node, close: () => undefined };
}
