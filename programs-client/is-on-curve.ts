/** The field of ed25519, and the curve's constant d. */
const P = 2n ** 255n - 19n;
const D = 37095705934669439343138083508754565189542113879843219016388785533085940283555n;

/** Limbs of 24 bits, the lowest first: a limb times a cofactor of 24 bits stays exact in a double. */
const LIMBS = 11;
const BASE = 2 ** 24;
const SCRATCH = new DataView(new ArrayBuffer(LIMBS * 3 + 1));
const P_LIMBS = limbsOf(P, new Float64Array(LIMBS));
/** Used again by every call, none of which ends before the next begins: new ones kept the collector busy. */
const A = new Float64Array(LIMBS);
const B = new Float64Array(LIMBS);

/**
 * Whether 32 bytes are a point: y of them, and some x with x² = (y² - 1) / (dy² + 1). A fifth of the time of asking with
 * bigint alone, which finding addresses, and so building mints, consists of.
 */
export function isOnCurve(bytes: Uint8Array): boolean {
  const y = yOf(bytes);
  const y2 = (y * y) % P;
  const value = ((y2 - 1n) * (D * y2 + 1n)) % P;
  return isSquare(value < 0n ? value + P : value);
}

/**
 * Whether 32 bytes are one of the few points that come to nothing within eight steps: of order 1, 2 and 4, whose y is 1,
 * -1 and 0, or of order 8, where dy⁴ + 2y² = 1.
 */
export function hasSmallOrder(bytes: Uint8Array): boolean {
  const y = yOf(bytes) % P;
  const y2 = (y * y) % P;
  return y === 0n || y2 === 1n || (D * y2 * y2 + 2n * y2) % P === 1n;
}

function yOf(bytes: Uint8Array): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset, 32);
  return (
    view.getBigUint64(0, true) |
    (view.getBigUint64(8, true) << 64n) |
    (view.getBigUint64(16, true) << 128n) |
    ((view.getBigUint64(24, true) & 0x7fffffffffffffffn) << 192n)
  );
}

/**
 * Whether a number below P is a square modulo P, by the Jacobi symbol (value | P). Euclid's algorithm goes by the leading
 * 48 bits for some fifteen quotients at a time (Lehmer), and takes them over into all limbs at once; what a quotient does
 * to the symbol follows from the two numbers modulo 4 (Möller), so that no factors of two have to be taken out.
 */
export function isSquare(value: bigint): boolean {
  if (value === 0n) return true;
  const a = A;
  a.set(P_LIMBS);
  const b = limbsOf(value, B);
  const symbol = { a: 1, b: Number(value & 3n), lower: false, negative: 0 };
  let top = LIMBS - 1;
  for (;;) {
    while (a[top] === 0) top--;
    if (top < 2) break;
    const bits = 32 - Math.clz32(a[top] as number);
    let x = leading(a, top, bits);
    let y = leading(b, top, bits);
    // x and y are u0·a - v0·b and u1·a - v1·b, up to the sign, which changes at every step.
    let [u0, v0, u1, v1, sign] = [1, 0, 0, 1, 1];
    while (y > 0) {
      const quotient = Math.floor(x / y);
      const rest = x - quotient * y;
      const u2 = u0 + quotient * u1;
      const v2 = v0 + quotient * v1;
      // Collins: as long as this holds, all limbs would give the same quotient.
      if (rest < v2 || y - rest < v1 + v2) break;
      [x, y, u0, v0, u1, v1, sign] = [y, rest, u1, v1, u2, v2, -sign];
      reduce(symbol, quotient);
    }
    // A quotient that 48 bits cannot decide comes once in some ten million times.
    if (u1 === 0) return isSquareByBigint(value);
    combine(a, b, top, sign * u0, sign * v0, sign * u1, sign * v1);
  }
  let [x, y] = [wordOf(a), wordOf(b)];
  while (y > 0) {
    const quotient = Math.floor(x / y);
    reduce(symbol, quotient);
    [x, y] = [y, x - quotient * y];
  }
  return symbol.negative === 0;
}

/** a and b modulo 4; whether b is the lower number of the symbol, else a is; 1 for a symbol that changed its sign. */
type Symbol = { a: number; b: number; lower: boolean; negative: number };

/** a becomes b, and b what a leaves after `quotient` times b. The lower number is odd always. */
function reduce(symbol: Symbol, quotient: number): void {
  const { a, b } = symbol;
  if (symbol.lower) {
    symbol.lower = false;
  } else if ((b & 1) === 1) {
    // Reciprocity turns the symbol over, and then the upper number is reduced.
    symbol.negative ^= (a & b & 2) >> 1;
  } else {
    // (b | a) = -(b | a - b) where b = 2 and a = 3 modulo 4; else they are the same.
    if (b === 2) symbol.negative ^= ((quotient + (a >> 1)) >> 1) & 1;
    symbol.lower = true;
  }
  symbol.a = b;
  symbol.b = (a - (quotient & 3) * b) & 3;
}

/** The 48 bits that begin with the highest of the limb `top`, which has `bits`. */
function leading(limbs: Float64Array, top: number, bits: number): number {
  const [high, middle, low] = [limbs[top], limbs[top - 1], limbs[top - 2]] as [number, number, number];
  return high * 2 ** (48 - bits) + middle * 2 ** (24 - bits) + (low >> bits);
}

/** What is left when no more than two limbs are in use. */
function wordOf([low = 0, high = 0]: Float64Array): number {
  return low + high * BASE;
}

/** a becomes u0·a - v0·b, and b becomes v1·b - u1·a. */
function combine(
  a: Float64Array,
  b: Float64Array,
  top: number,
  u0: number,
  v0: number,
  u1: number,
  v1: number,
): void {
  let [carryA, carryB] = [0, 0];
  for (let at = 0; at <= top; at++) {
    const [one, other] = [a[at], b[at]] as [number, number];
    const nextA = u0 * one - v0 * other + carryA;
    const nextB = v1 * other - u1 * one + carryB;
    carryA = Math.floor(nextA / BASE);
    carryB = Math.floor(nextB / BASE);
    a[at] = nextA - carryA * BASE;
    b[at] = nextB - carryB * BASE;
  }
}

function limbsOf(value: bigint, limbs: Float64Array): Float64Array {
  SCRATCH.setBigUint64(0, value, true);
  SCRATCH.setBigUint64(8, value >> 64n, true);
  SCRATCH.setBigUint64(16, value >> 128n, true);
  SCRATCH.setBigUint64(24, value >> 192n, true);
  for (let at = 0; at < LIMBS; at++) limbs[at] = SCRATCH.getUint32(at * 3, true) & (BASE - 1);
  return limbs;
}

/** The same by quadratic reciprocity and bigint. */
export function isSquareByBigint(value: bigint): boolean {
  let a = value;
  let n = P;
  let sign = 1;
  while (a !== 0n) {
    while ((a & 1n) === 0n) {
      a >>= 1n;
      const r = n & 7n;
      if (r === 3n || r === 5n) sign = -sign;
    }
    [a, n] = [n, a];
    if ((a & 3n) === 3n && (n & 3n) === 3n) sign = -sign;
    a %= n;
  }
  return n !== 1n || sign === 1;
}
