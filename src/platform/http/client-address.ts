import { BlockList, isIPv4 } from 'node:net';
import type { Context } from 'hono';
import { addressOf } from './address-of.ts';

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
  ['fc00::', 7],
  ['fe80::', 10],
] as const)
  ours.addSubnet(network, bits, 'ipv6');

/** The machine itself, as its address is cut. A rule for it would take in every IPv4 address too. */
const LOOPBACK = '0:0:0:0::/64';

/** The same as `addressOf`, but undefined where a network of our own is all that it shows: that is no caller. */
export function clientAddress(c: Context, proxies: number): string | undefined {
  const address = addressOf(c, proxies);
  if (address === undefined || address === LOOPBACK) return undefined;
  const [network = ''] = address.split('/');
  return ours.check(network, isIPv4(network) ? 'ipv4' : 'ipv6') ? undefined : address;
}
