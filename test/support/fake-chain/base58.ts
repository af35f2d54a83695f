import bs58 from 'bs58';

/** Base58 of 32 bytes costs some microseconds, and a chain says the same few thousand addresses again and again. */
const texts = new Map<string, string>();
const bytes = new Map<string, Uint8Array>();
const REMEMBERED = 100_000;

/** The base58 text of an address or a blockhash. */
export function textOf(address: Uint8Array): string {
  const name = Buffer.from(address.buffer, address.byteOffset, address.length).toString('latin1');
  const known = texts.get(name);
  if (known !== undefined) return known;
  if (texts.size >= REMEMBERED) texts.clear();
  const text = bs58.encode(address);
  texts.set(name, text);
  return text;
}

/** The 32 bytes of an address; undefined for anything else. */
export function bytesOf(text: string): Uint8Array | undefined {
  const known = bytes.get(text);
  if (known !== undefined) return known;
  const decoded = decodeBase58(text, 32);
  if (decoded === undefined) return undefined;
  if (bytes.size >= REMEMBERED) bytes.clear();
  bytes.set(text, decoded);
  return decoded;
}

/** Bytes of a base58 text; undefined where it is none or has another length than `length`. */
export function decodeBase58(text: string, length?: number): Uint8Array | undefined {
  const decoded = bs58.decodeUnsafe(text);
  return decoded === undefined || (length !== undefined && decoded.length !== length) ? undefined : decoded;
}

export function encodeBase58(data: Uint8Array): string {
  return bs58.encode(data);
}
