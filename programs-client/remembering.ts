const MOST = 4_000;

/**
 * `make`, which has one answer for the same bytes for ever, asked once for each of the bytes that come often. Whoever
 * sends ever new ones makes it forget, and no more.
 */
export function remembering<T>(make: (bytes: Uint8Array) => T): (bytes: Uint8Array) => T {
  const memory = new Map<string, T>();
  return (bytes) => {
    const name = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
    const known = memory.get(name);
    if (known !== undefined) return known;
    const made = make(bytes);
    if (memory.size >= MOST) memory.clear();
    memory.set(name, made);
    return made;
  };
}
