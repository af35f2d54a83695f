import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Chance } from './dice.ts';
import { answerCall, failed } from './rpc/call-method.ts';
import type { Node } from './rpc/node.ts';

/** Agave's limit; about 28 transactions in one batch. */
const LARGEST_BODY = 50 * 1024;

/** The HTTP side of a node, faults included. What it was asked is told to `asked`. */
export function serveHttp(node: Node, asked: (method: string) => void): Server {
  return createServer((request, response) => {
    serve(node, asked, request, response).catch((error: Error) => {
      // A fault of this server, which a test must see.
      console.error('the fake chain failed', error);
      response.destroy();
    });
  });
}

async function serve(
  node: Node,
  asked: (method: string) => void,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (request.method === 'GET' && request.url === '/health') return text(response, 200, 'ok');
  if (request.method !== 'POST') {
    return text(response, 405, 'Used HTTP Method is not allowed. POST or OPTIONS is required\n');
  }
  if (!request.headers['content-type']?.includes('json')) {
    const why = 'Supplied content type is not allowed. Content-Type: application/json is required\n';
    return text(response, 415, why);
  }
  const { apiKey } = node.faults();
  if (apiKey !== undefined && !request.url?.includes(`api-key=${apiKey}`)) {
    return text(response, 401, 'Unauthorized\n');
  }
  const body = await readBody(request);
  if (body === undefined) return text(response, 413, 'request body size exceeds allowed maximum\n');
  const calls = parse(body);
  const methods = [calls].flat().map((call) => methodOf(call));
  for (const method of methods) asked(method);
  const subject = `${node.name} ${methods[0] ?? 'nothing'}`;
  const { answers = {} } = node.faults();
  const happens = (fault: string, often: { chance: Chance; methods?: string[] } | undefined): boolean => {
    const concerned = !often?.methods || methods.some((method) => often.methods?.includes(method));
    return concerned && node.dice.happens(fault, subject, often?.chance);
  };
  if (happens('hang', answers.hang)) return;
  if (happens('cut', answers.cut)) {
    if (answers.cut?.when === 'after') answerAll(node, calls);
    response.destroy();
    return;
  }
  if (answers.tooMany && happens('tooMany', answers.tooMany)) {
    response.setHeader('retry-after', answers.tooMany.retryAfter);
    return text(response, 429, 'Too many requests\n');
  }
  if (answers.broken && happens('broken', answers.broken)) {
    return text(response, answers.broken.status, '<html><body>upstream is gone</body></html>');
  }
  if (answers.redirect && happens('redirect', answers.redirect)) {
    response.setHeader('location', answers.redirect.to);
    return text(response, 307, '');
  }
  const garbage = happens('garbage', answers.garbage);
  const late = answers.late && happens('answerLate', answers.late) ? answers.late.ms : undefined;
  const reversed = happens('reversed', answers.reversed);
  const inOrder = answerAll(node, calls);
  const answer = reversed && Array.isArray(inOrder) ? inOrder.toReversed() : inOrder;
  if (late) await sleep(node.dice.between('answerLate', subject, late));
  if (garbage) return json(response, '<!doctype html><title>Just a moment…</title>');
  const huge = answers.huge && happens('huge', answers.huge) ? answers.huge.bytes : 0;
  const said = answer === undefined ? '' : `${JSON.stringify(answer)}\n`;
  return json(response, huge > 0 ? said.replace('{', `{"padding":"${'x'.repeat(huge)}",`) : said);
}

/** Undefined where nothing is to be answered. */
function answerAll(node: Node, calls: unknown): unknown {
  if (calls === undefined) return failed(null, -32700, 'Parse error');
  if (!Array.isArray(calls)) return answerCall(node, calls);
  if (node.faults().noBatches) {
    return { error: { code: -32600, message: 'Only method calls are supported' }, id: null };
  }
  const answers = calls.map((call) => answerCall(node, call)).filter((one) => one !== undefined);
  return answers.length > 0 ? answers : undefined;
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

function methodOf(call: unknown): string {
  const method = (call as { method?: unknown } | null | undefined)?.method;
  return typeof method === 'string' ? method : 'nothing';
}

async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request) {
    length += (chunk as Buffer).length;
    if (length <= LARGEST_BODY) chunks.push(chunk as Buffer);
  }
  return length > LARGEST_BODY ? undefined : Buffer.concat(chunks).toString('utf8');
}

function json(response: ServerResponse, body: string): void {
  response.setHeader('content-type', 'application/json; charset=utf-8');
  response.end(body);
}

function text(response: ServerResponse, status: number, body: string): void {
  response.statusCode = status;
  response.setHeader('content-type', 'text/plain; charset=utf-8');
  response.end(body);
}
