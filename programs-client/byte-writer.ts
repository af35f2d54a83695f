/** Bytes that grow from the front. What is put beyond their end throws a `RangeError`. */
export type Writer = { bytes: Buffer; at: number };

export function put(writer: Writer, bytes: Uint8Array): void {
  writer.bytes.set(bytes, writer.at);
  writer.at += bytes.length;
}

export function putByte(writer: Writer, value: number): void {
  writer.at = writer.bytes.writeUInt8(value, writer.at);
}

export function putU32(writer: Writer, value: number): void {
  // Node would write 0 for NaN, and cut fractions off.
  if (!Number.isInteger(value)) throw new RangeError(`a 32-bit number is expected, not ${value}`);
  writer.at = writer.bytes.writeUInt32LE(value, writer.at);
}

export function putU64(writer: Writer, value: bigint): void {
  writer.at = writer.bytes.writeBigUInt64LE(value, writer.at);
}

/** A length below 2^14 as messages have it: seven bits a byte, the lowest first. */
export function putLength(writer: Writer, length: number): void {
  if (length > 127) putByte(writer, (length & 127) | 128);
  putByte(writer, length > 127 ? length >> 7 : length);
}

/** UTF-8 behind its length, as Borsh has it. `length` is `Buffer.byteLength(text)`. */
export function putText(writer: Writer, text: string, length: number): void {
  putU32(writer, length);
  writer.at += writer.bytes.write(text, writer.at, length);
}
