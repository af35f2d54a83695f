import { isIP } from 'node:net';
import type { Context } from 'hono';

/**
 * The address that a request comes from, as far as it counts: of IPv6 the first 64 bits, which one household has.
 * Behind `proxies` proxies of ours it is what the outermost of them saw; what stands before that in `X-Forwarded-For` was
 * written by the caller. Undefined without a socket.
 */
export function addressOf(c: Context, proxies: number): string | undefined {
  const env = c.env as { incoming?: { socket?: { remoteAddress?: string } } } | undefined;
  const direct = env?.incoming?.socket?.remoteAddress;
  const hops = proxies === 0 ? [] : (c.req.header('x-forwarded-for') ?? '').split(',');
  const seen = hops.at(-proxies)?.trim() ?? '';
  const address = isIP(seen) > 0 ? seen : direct;
  return address === undefined ? undefined : networkOf(address);
}

function networkOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped || isIP(address) !== 6) return mapped ?? address;
  const [head = '', tail] = address.toLowerCase().split('%', 1)[0]?.split('::') ?? [];
  const first = head === '' ? [] : head.split(':');
  const rest = tail === undefined || tail === '' ? 0 : tail.split(':').length;
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - first.length - rest);
  const groups = [...first, ...Array<string>(zeros).fill('0'), ...(tail ? tail.split(':') : [])];
  return `${groups
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':')}::/64`;
}
