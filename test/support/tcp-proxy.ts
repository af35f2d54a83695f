import { once } from 'node:events';
import { type AddressInfo, createConnection, createServer, type Socket } from 'node:net';

export type TcpProxy = {
  /** `target` with the proxy's address in it. */
  url(target: string): string;
  /** How many connections are open now. */
  open(): number;
  /** Breaks every connection, as a server that dies does. */
  cut(): void;
  /** Connections are refused from now on, or taken again. */
  refuse(refused: boolean): void;
  /** Bytes are swallowed from now on and nobody is told, or passed on again. */
  swallow(swallowed: boolean): void;
  /** Calls `seen` for each piece that a client sends, before it is passed on; true breaks the connection instead. */
  watch(seen: ((bytes: Buffer) => boolean) | undefined): void;
  close(): Promise<void>;
};

/** A wire to the server at `target` that misbehaves when it is told to. */
export async function startTcpProxy(target: string): Promise<TcpProxy> {
  const { hostname, port } = new URL(target);
  const pairs = new Set<[Socket, Socket]>();
  let refused = false;
  let swallowed = false;
  let watcher: ((bytes: Buffer) => boolean) | undefined;

  const server = createServer((client) => {
    if (refused) {
      client.resetAndDestroy();
      return;
    }
    const upstream = createConnection({ host: hostname, port: Number(port) });
    const pair: [Socket, Socket] = [client, upstream];
    pairs.add(pair);
    const end = () => {
      pairs.delete(pair);
      client.destroy();
      upstream.destroy();
    };
    for (const socket of pair) socket.on('error', end).on('close', end);
    client.on('data', (bytes) => {
      if (swallowed) return;
      if (watcher?.(bytes)) client.resetAndDestroy();
      else upstream.write(bytes);
    });
    upstream.on('data', (bytes) => {
      if (!swallowed) client.write(bytes);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address() as AddressInfo;

  function cut(): void {
    for (const [client] of pairs) client.resetAndDestroy();
  }
  return {
    url: (text) => Object.assign(new URL(text), { hostname: '127.0.0.1', port: String(address.port) }).href,
    open: () => pairs.size,
    cut,
    refuse(value) {
      refused = value;
    },
    swallow(value) {
      swallowed = value;
    },
    watch(seen) {
      watcher = seen;
    },
    async close() {
      cut();
      server.close();
      await once(server, 'close');
    },
  };
}
