import { inflateSync } from 'node:zlib';
import { parseXml } from './parse-xml.ts';

/** Rows of dark modules, without the quiet zone. */
export type Matrix = boolean[][];

/** The modules of a code that was drawn as an SVG, one unit to a module. */
export function readSvg(source: string): Matrix {
  const root = parseXml(source);
  const [, , width = 0] = (root.attributes.viewBox ?? '').split(' ').map(Number);
  const lines = root.children.find((path) => path.attributes.stroke === '#000000')?.attributes.d ?? '';
  const rows: Matrix = Array.from({ length: width }, () => Array.from({ length: width }, () => false));
  let [x, y] = [0, 0];
  for (const [, command, first = '', second = ''] of lines.matchAll(
    /([Mmh])\s*(-?[\d.]+)(?:[ ,](-?[\d.]+))?/g,
  )) {
    if (command === 'M') [x, y] = [Number(first), Math.floor(Number(second))];
    else if (command === 'm') x += Number(first);
    else for (const end = x + Number(first); x < end; x++) (rows[y] ?? [])[x] = true;
  }
  return withoutMargin(rows);
}

/** The modules of a code that was drawn as a PNG of 8 bits in a channel, `scale` pixels to a module. */
export function readPng(bytes: Uint8Array, scale: number): Matrix {
  const file = Buffer.from(bytes);
  if (file.toString('latin1', 0, 8) !== '\x89PNG\r\n\x1a\n') throw new Error('no PNG');
  const data: Buffer[] = [];
  let [width, height, channels] = [0, 0, 0];
  for (let at = 8; at < file.length; ) {
    const [length, kind] = [file.readUInt32BE(at), file.toString('latin1', at + 4, at + 8)];
    const chunk = file.subarray(at + 8, at + 8 + length);
    if (kind === 'IHDR') {
      [width, height] = [chunk.readUInt32BE(0), chunk.readUInt32BE(4)];
      channels = { 0: 1, 2: 3, 4: 2, 6: 4 }[chunk[9] ?? 0] ?? 0;
      if (chunk[8] !== 8 || channels === 0 || chunk[12] !== 0) throw new Error('another kind of PNG');
    } else if (kind === 'IDAT') data.push(chunk);
    at += 12 + length;
  }
  const pixels = unfilter(inflateSync(Buffer.concat(data)), width * channels, height, channels);
  const dark = (x: number, y: number) => (pixels[(y * width + x) * channels] ?? 255) < 128;
  const size = width / scale;
  const rows = Array.from({ length: size }, (_, y) =>
    Array.from({ length: size }, (_, x) => dark(x * scale + scale / 2, y * scale + scale / 2)),
  );
  return withoutMargin(rows);
}

function unfilter(raw: Buffer, stride: number, height: number, step: number): Uint8Array {
  const out = new Uint8Array(stride * height);
  for (let y = 0; y < height; y++) {
    const filter = raw[y * (stride + 1)];
    for (let i = 0; i < stride; i++) {
      const a = i >= step ? (out[y * stride + i - step] ?? 0) : 0;
      const b = y > 0 ? (out[(y - 1) * stride + i] ?? 0) : 0;
      const c = i >= step && y > 0 ? (out[(y - 1) * stride + i - step] ?? 0) : 0;
      const guess = [0, a, b, (a + b) >> 1, paeth(a, b, c)][filter ?? 0] ?? 0;
      out[y * stride + i] = ((raw[y * (stride + 1) + 1 + i] ?? 0) + guess) & 255;
    }
  }
  return out;
}

function paeth(a: number, b: number, c: number): number {
  const [pa, pb, pc] = [Math.abs(b - c), Math.abs(a - c), Math.abs(a + b - 2 * c)];
  return pa <= pb && pa <= pc ? a : pb <= pc ? b : c;
}

function withoutMargin(rows: Matrix): Matrix {
  const margin = rows.findIndex((row) => row.includes(true));
  if (margin < 2) throw new Error('the quiet zone is too narrow');
  return rows.slice(margin, -margin).map((row) => row.slice(margin, -margin));
}

/** Error correction M: codewords for it in each block, and blocks, by version from 1. */
const EC_CODEWORDS = [10, 16, 26, 18, 24, 16, 18, 22, 22, 26, 30, 22];
const BLOCKS = [1, 1, 1, 2, 2, 4, 4, 4, 5, 5, 5, 8];
const ALPHANUMERIC = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:';
const masks: ((row: number, column: number) => boolean)[] = [
  (r, c) => (r + c) % 2 === 0,
  (r) => r % 2 === 0,
  (_r, c) => c % 3 === 0,
  (r, c) => (r + c) % 3 === 0,
  (r, c) => (Math.floor(r / 2) + Math.floor(c / 3)) % 2 === 0,
  (r, c) => ((r * c) % 2) + ((r * c) % 3) === 0,
  (r, c) => (((r * c) % 2) + ((r * c) % 3)) % 2 === 0,
  (r, c) => (((r + c) % 2) + ((r * c) % 3)) % 2 === 0,
];

/** What a clean QR code (ISO 18004) of error correction M says, up to version 12. There is nothing to correct in it. */
export function readQr(matrix: Matrix): string {
  const size = matrix.length;
  const version = (size - 17) / 4;
  const at = (r: number, c: number) => matrix[r]?.[c] === true;
  let format = 0;
  for (let i = 0; i < 6; i++) format = (format << 1) | Number(at(8, i));
  for (const [r, c] of [
    [8, 7],
    [8, 8],
    [7, 8],
  ] as const)
    format = (format << 1) | Number(at(r, c));
  for (let r = 5; r >= 0; r--) format = (format << 1) | Number(at(r, 8));
  format ^= 0x5412;
  const mask = masks[(format >> 10) & 7];
  if (format >> 13 !== 0 || !mask) throw new Error('not of error correction M');

  const bits: boolean[] = [];
  let upwards = true;
  for (let right = size - 1; right > 0; right -= 2) {
    if (right === 6) right--;
    for (let i = 0; i < size; i++) {
      const r = upwards ? size - 1 - i : i;
      for (const c of [right, right - 1]) {
        if (!isFunction(version, size, r, c)) bits.push(at(r, c) !== mask(r, c));
      }
    }
    upwards = !upwards;
  }
  const codewords = Array.from({ length: Math.floor(bits.length / 8) }, (_, i) =>
    bits.slice(i * 8, i * 8 + 8).reduce((byte, bit) => byte * 2 + Number(bit), 0),
  );
  return readSegments(deinterleave(codewords, version), version);
}

function isFunction(version: number, size: number, r: number, c: number): boolean {
  if (r === 6 || c === 6) return true;
  if ((r < 9 && (c < 9 || c >= size - 8)) || (r >= size - 8 && c < 9)) return true;
  if (version >= 7 && ((r < 6 && c >= size - 11) || (c < 6 && r >= size - 11))) return true;
  if (version === 1) return false;
  const count = Math.floor(version / 7) + 2;
  const step = Math.ceil((4 * version + 4) / (2 * count - 2)) * 2;
  const centres = [6, ...Array.from({ length: count - 1 }, (_, i) => size - 7 - i * step).reverse()];
  return centres.some((y) =>
    centres.some((x) => {
      const inFinder = (y === 6 && (x === 6 || x === size - 7)) || (x === 6 && y === size - 7);
      return !inFinder && Math.abs(r - y) <= 2 && Math.abs(c - x) <= 2;
    }),
  );
}

function deinterleave(codewords: number[], version: number): number[] {
  const [ec = 0, blocks = 0] = [EC_CODEWORDS[version - 1], BLOCKS[version - 1]];
  const short = Math.floor(codewords.length / blocks) - ec;
  const long = codewords.length % blocks;
  const data: number[][] = Array.from({ length: blocks }, () => []);
  let next = 0;
  for (let i = 0; i <= short; i++) {
    for (let block = i === short ? blocks - long : 0; block < blocks; block++) {
      data[block]?.push(codewords[next++] ?? 0);
    }
  }
  return data.flat();
}

function readSegments(data: number[], version: number): string {
  let position = 0;
  const take = (count: number): number => {
    let value = 0;
    for (let i = 0; i < count; i++, position++) {
      value = value * 2 + (((data[position >> 3] ?? 0) >> (7 - (position & 7))) & 1);
    }
    return value;
  };
  const large = version >= 10;
  let text = '';
  while (position + 4 <= data.length * 8) {
    const mode = take(4);
    if (mode === 0) break;
    if (mode === 1) {
      let left = take(large ? 12 : 10);
      for (; left >= 3; left -= 3) text += String(take(10)).padStart(3, '0');
      if (left > 0) text += String(take(left === 2 ? 7 : 4)).padStart(left, '0');
    } else if (mode === 2) {
      let left = take(large ? 11 : 9);
      for (; left >= 2; left -= 2) {
        const pair = take(11);
        text += `${ALPHANUMERIC[Math.floor(pair / 45)]}${ALPHANUMERIC[pair % 45]}`;
      }
      if (left > 0) text += ALPHANUMERIC[take(6)];
    } else if (mode === 4) {
      const length = take(large ? 16 : 8);
      text += Buffer.from(Array.from({ length }, () => take(8))).toString('utf8');
    } else throw new Error(`a segment of mode ${mode}`);
  }
  return text;
}
