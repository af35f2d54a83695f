import { type Address, addressBytes } from './addresses.ts';

const memory = new Map<string, Uint8Array>();

/**
 * The bytes of an address (or blockhash) that one message after another needs, read from base58 once: doing it each time
 * would take a tenth of the time of building a mint. Throws a `TypeError` on a string that is no address.
 */
export function knownBytes(address: string): Uint8Array {
  const known = memory.get(address);
  if (known !== undefined) return known;
  const bytes = addressBytes(address as Address);
  if (memory.size >= 1000) memory.clear();
  memory.set(address, bytes);
  return bytes;
}
