import { connect, createServer, type Server } from 'node:net';

/** Makes `target` reachable under a port that people know. Undefined when that port is taken. */
export function forwardPort(port: number, target: string): Promise<Server | undefined> {
  const { hostname, port: targetPort } = new URL(target);
  const server = createServer((incoming) => {
    const outgoing = connect(Number(targetPort), hostname);
    incoming.pipe(outgoing).pipe(incoming);
    incoming.on('error', () => outgoing.destroy());
    outgoing.on('error', () => incoming.destroy());
  });
  return new Promise((resolve) => {
    server.once('error', () => resolve(undefined));
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}
