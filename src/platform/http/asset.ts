import { hash } from 'node:crypto';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import type { Context } from 'hono';

/** Something that is the same for everybody: kept in memory, compressed once, never copied. */
export type Asset = {
  type: string;
  tag: string;
  maxAge: number;
  /** By content coding; `identity` is as it was given. */
  bodies: Record<'br' | 'gzip' | 'identity', Uint8Array<ArrayBuffer>>;
};

/** `maxAge` in seconds: for so long nobody needs to ask again. */
export async function createAsset(options: {
  type: string;
  body: Uint8Array | string;
  maxAge: number;
}): Promise<Asset> {
  const { type, maxAge } = options;
  const identity = Buffer.from(options.body);
  const [br, zipped] = await Promise.all([
    promisify(brotliCompress)(identity, { params: { [constants.BROTLI_PARAM_QUALITY]: 8 } }),
    promisify(gzip)(identity),
  ]);
  const tag = hash('sha256', identity, 'base64url').slice(0, 22);
  const bodies = { br, gzip: zipped, identity } as Asset['bodies'];
  return { type, maxAge, tag, bodies };
}

/** Answers with an asset in a coding that the caller takes, or with 304 when they have it. */
export function sendAsset(c: Context, { type, tag, maxAge, bodies }: Asset): Response {
  const coding = chooseCoding(c.req.header('accept-encoding') ?? '');
  const etag = `"${tag}-${coding}"`;
  c.header('ETag', etag);
  c.header('Cache-Control', `public, max-age=${maxAge}`);
  c.header('Vary', 'Accept-Encoding');
  const known = (c.req.header('if-none-match') ?? '').split(',').map((one) => one.trim().replace(/^W\//, ''));
  if (known.includes(etag) || known.includes('*')) return c.body(null, 304);
  c.header('Content-Type', type);
  if (coding !== 'identity') c.header('Content-Encoding', coding);
  return c.body(bodies[coding], 200);
}

/** The best that is named and not refused by `q=0`. */
function chooseCoding(accepted: string): keyof Asset['bodies'] {
  const refused = /;\s*q=0(\.0*)?\s*$/;
  const named = accepted.toLowerCase().split(',');
  const takes = (coding: string): boolean =>
    named.some((one) => one.split(';')[0]?.trim() === coding && !refused.test(one));
  if (takes('br')) return 'br';
  return takes('gzip') ? 'gzip' : 'identity';
}
