import { createServer } from 'node:net';

const HOST = '127.0.0.1';
/** How many ports after the wanted one are tried before any will do. */
const NEIGHBOURS = 20;

/** Opens `port` and closes it again; rejects with the system's error when that cannot be. 0 is any. Returns the port. */
export function tryPort(port: number, host = HOST): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(port, host, () => {
      const address = probe.address();
      const opened = typeof address === 'object' && address ? address.port : port;
      probe.close(() => resolve(opened));
    });
  });
}

/** `wanted` when it is free, otherwise one of its neighbours, otherwise any free port. */
export async function findPort(wanted: number, host = HOST): Promise<number> {
  for (let port = wanted; port < Math.min(wanted + NEIGHBOURS, 65_536); port++) {
    const free = await tryPort(port, host).catch(() => undefined);
    if (free !== undefined) return free;
  }
  return tryPort(0, host);
}
