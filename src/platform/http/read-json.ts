import type { Context, MiddlewareHandler } from 'hono';
import { DomainError } from '../errors.ts';
import { findJsonFault } from './find-json-fault.ts';
import { routedTo } from './routed-to.ts';

const MAX_BYTES = 64 * 1024;
const MAX_DEPTH = 16;
/** JSON itself, with parameters or without; what only looks like it is for somebody else. */
const JSON_TYPE = /^application\/json(;\s*[a-z0-9-]+=[^;,]+)*$/i;
/** RFC 7396; what every PATCH takes. */
const PATCH_TYPE = /^application\/merge-patch\+json(;\s*[a-z0-9-]+=[^;,]+)*$/i;
export const CSV_TYPE = /^text\/csv(;\s*[a-z0-9-]+=[^;,]+)*$/i;

/** The route that takes larger bodies, and CSV beside JSON: `PUT /api/events/:id/seat-map`. */
export type Uploads = { route: string; maxBytes: number };

/**
 * Reads a JSON body before anything else looks at it: at most 64 KiB (a chunked body is cut off there), nested at most
 * 16 deep, well-formed UTF-8, no NUL and no lone surrogate anywhere. Where no route is, nothing is read.
 */
export function readJson(uploads?: Uploads): MiddlewareHandler {
  return async (c, next) => {
    if (c.req.method !== 'POST' && c.req.method !== 'PUT' && c.req.method !== 'PATCH') return next();
    const length = c.req.header('content-length');
    if (length === '0' || (length === undefined && c.req.raw.body === null)) return next();
    const route = routedTo(c);
    if (route === undefined) return next();
    const upload = route === uploads?.route ? uploads : undefined;
    const maxBytes = upload?.maxBytes ?? MAX_BYTES;
    // Over HTTP every POST may have a body until it was read.
    const early = length === undefined ? await readLimited(c.req.raw, 0, maxBytes) : undefined;
    if (early?.byteLength === 0) {
      keep(c, '');
      return next();
    }
    const type = c.req.header('content-type') ?? '';
    const csv = upload !== undefined && CSV_TYPE.test(type);
    const patch = c.req.method === 'PATCH' && PATCH_TYPE.test(type);
    if (!csv && !patch && !JSON_TYPE.test(type)) {
      const taken = `application/json${upload ? ' or text/csv' : ''}${c.req.method === 'PATCH' ? ' or application/merge-patch+json' : ''}`;
      throw new DomainError('unsupported_media_type', 'unsupported_media_type', `The body must be ${taken}.`);
    }
    const text = decode(early ?? (await readLimited(c.req.raw, Number(length), maxBytes)));
    if (csv && !isClean(text)) throw malformed('The body is not text.');
    if (!csv) {
      checkDepth(text);
      checkStrings(text);
    }
    keep(c, text);
    return next();
  };
}

/** For whoever asks Hono for the body. It keeps bodies as promises, whatever its type says. */
function keep(c: Context, text: string): void {
  c.req.bodyCache.text = Promise.resolve(text) as unknown as string;
}

export async function readLimited(request: Request, declared: number, maxBytes: number): Promise<Uint8Array> {
  if (declared > maxBytes) throw tooLarge(maxBytes);
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    if (declared > 0) return new Uint8Array(await request.arrayBuffer());
    for await (const chunk of request.body ?? []) {
      size += chunk.byteLength;
      if (size > maxBytes) throw tooLarge(maxBytes);
      chunks.push(chunk);
    }
  } catch (error) {
    // Only the caller's side can break what we do nothing but read.
    throw error instanceof DomainError ? error : uploadAborted(error);
  }
  return Buffer.concat(chunks);
}

function uploadAborted(cause: unknown): DomainError {
  return new DomainError('invalid', 'upload_aborted', 'The body did not arrive as a whole.').withCause(cause);
}

function tooLarge(maxBytes: number): DomainError {
  return new DomainError('too_large', 'body_too_large', `The body is larger than ${maxBytes} bytes.`);
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** The text that bytes are in UTF-8. @throws DomainError invalid */
export function decode(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw malformed('The body is not UTF-8.');
  }
}

/** Counts brackets outside strings; linear, and done before the parser recurses. */
function checkDepth(text: string): void {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (inString) {
      if (c === 0x5c) i++;
      else if (c === 0x22) inString = false;
    } else if (c === 0x22) inString = true;
    else if (c === 0x7b || c === 0x5b) {
      if (++depth > MAX_DEPTH) throw malformed(`The body is nested more than ${MAX_DEPTH} deep.`);
    } else if (c === 0x7d || c === 0x5d) depth--;
  }
}

const BACKSLASH = 0x5c;
const LETTER_U = 0x75;

/**
 * Only an escape can smuggle a NUL or half a surrogate pair into a body that is UTF-8. One look at each escape: with a
 * reviver 4 MiB took 6 to 43 seconds. An escape that is none is left to the parser, which says so.
 */
function checkStrings(text: string): void {
  let half: number | undefined;
  for (let at = text.indexOf('\\'); at !== -1; ) {
    const unit = text.charCodeAt(at + 1) === LETTER_U ? hexOf(text, at + 2) : undefined;
    const next = at + (unit === undefined ? 2 : 6);
    const low = unit !== undefined && unit >= 0xdc00 && unit <= 0xdfff;
    if (low !== (half !== undefined) || unit === 0) throw malformed('A string is not text.');
    half = unit !== undefined && unit >= 0xd800 && unit <= 0xdbff ? unit : undefined;
    // The other half must follow at once, and only as another escape.
    if (half !== undefined && text.charCodeAt(next) !== BACKSLASH) throw malformed('A string is not text.');
    at = text.indexOf('\\', next);
  }
}

/** The number that four hexadecimal digits are; undefined when they are none. */
function hexOf(text: string, at: number): number | undefined {
  const digits = text.slice(at, at + 4);
  return /^[0-9a-f]{4}$/i.test(digits) ? Number.parseInt(digits, 16) : undefined;
}

/** Whether a string can be stored as text at all. */
export function isClean(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0');
}

/** The refusal of a body that does not parse: it says where and why, and repeats nothing of it. */
export function notJson(text: string): DomainError {
  const fault = findJsonFault(text);
  return malformed(fault === undefined ? 'The body is not JSON.' : `The body is not JSON: ${fault}.`);
}

function malformed(message: string): DomainError {
  return new DomainError('invalid', 'malformed_body', message);
}
