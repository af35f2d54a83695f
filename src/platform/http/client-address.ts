import { BlockList, isIP } from 'node:net';
import type { Context } from 'hono';

/** Whoever connects from there is no caller but a proxy, a balancer or a process beside us. */
const ours = new BlockList();
for (const [network, bits] of [
  ['127.0.0.0', 8],
  ['10.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  ['169.254.0.0', 16],
  ['100.64.0.0', 10],
] as const)
  ours.addSubnet(network, bits, 'ipv4');
for (const [network, bits] of [
  ['::1', 128],
  ['fc00::', 7],
  ['fe80::', 10],
] as const)
  ours.addSubnet(network, bits, 'ipv6');

/**
 * The network address of the caller; undefined when it is not known: there is no
 * socket, or a network of our own is all that it shows. Behind proxies of ours it is what the outermost
 * of `hops` of them wrote into X-Forwarded-For; what stands before that in the header is the caller's own and is not
 * believed. An IPv6 address is cut to its /64, which one subscriber has whole.
 */
export function clientAddress(c: Context, hops: number): string | undefined {
  const socket = c.env?.incoming?.socket?.remoteAddress as string | undefined;
  const forwarded = hops === 0 ? undefined : c.req.header('x-forwarded-for')?.split(',').at(-hops)?.trim();
  const given = (forwarded || socket)?.replace(/^::ffff:(?=\d+\.)/, '');
  const version = given === undefined ? 0 : isIP(given);
  if (given === undefined || version === 0 || ours.check(given, version === 6 ? 'ipv6' : 'ipv4'))
    return undefined;
  return version === 6 ? networkOf(given) : given;
}

function networkOf(address: string): string {
  const [head = '', tail = ''] = address.split('::');
  const left = head.split(':').filter(Boolean);
  const right = tail.split(':').filter(Boolean);
  const zeros = address.includes('::')
    ? Array<string>(Math.max(0, 8 - left.length - right.length)).fill('0')
    : [];
  return `${[...left, ...zeros, ...right].slice(0, 4).join(':')}::/64`;
}
