import { type Dispatcher, Pool } from 'undici';
import { NodeFailure, RpcRefusal } from './rpc-error.ts';

export type Question = { method: string; params: unknown[] };
/** What became of one question of many. */
export type Outcome<T> = { result: T } | { refused: RpcRefusal };

/** JSON-RPC 2.0 over kept-alive connections, and nothing of Solana. */
export type JsonRpc = {
  /** @throws RpcRefusal when the node says no, NodeFailure when it gives no usable answer */
  ask<T>(question: Question): Promise<T>;
  /**
   * Outcomes in the order of the questions: in batches where the node takes them, else side by side.
   * @throws NodeFailure when one of them got no usable answer
   */
  askAll<T>(questions: readonly Question[]): Promise<Outcome<T>[]>;
  close(): Promise<void>;
};

const TIMEOUT_MS = 10_000;
/** One answer may have so many bytes; a node that sends more is cut off. */
const MAX_ANSWER = 32 * 1024 * 1024;
/** Questions in a batch: large enough to spare round trips, small enough for every node that takes batches. */
const BATCH = 64;
/** Requests to one node at a time. */
const CONNECTIONS = 8;

type Answer = { id?: unknown; result?: unknown; error?: { code: number; message: string; data?: unknown } };

/** Opens no connection yet. @param name of the node in messages, without what is secret in its URL */
export function openJsonRpc(url: URL, name: string): JsonRpc {
  const pool = new Pool(url.origin, {
    connections: CONNECTIONS,
    connectTimeout: TIMEOUT_MS,
    headersTimeout: TIMEOUT_MS,
    bodyTimeout: TIMEOUT_MS,
    maxResponseSize: MAX_ANSWER,
    keepAliveTimeout: 30_000,
  });
  const path = `${url.pathname}${url.search}`;
  const authorization = url.username
    ? {
        authorization: `Basic ${Buffer.from(`${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`).toString('base64')}`,
      }
    : {};
  let takesBatches = true;

  async function post(payload: unknown): Promise<unknown> {
    let response: Dispatcher.ResponseData;
    let text: string;
    try {
      response = await pool.request({
        path,
        method: 'POST',
        headers: { 'content-type': 'application/json', ...authorization },
        body: JSON.stringify(payload),
        signal: AbortSignal.timeout(2 * TIMEOUT_MS),
      });
      text = await response.body.text();
    } catch (error) {
      throw new NodeFailure(`${name} does not answer: ${(error as Error).message}`, { cause: error });
    }
    return parse(name, response, text);
  }

  function settle<T>({ method }: Question, answer: Answer | undefined): Outcome<T> {
    if (answer?.error) return { refused: new RpcRefusal(method, answer.error) };
    if (answer === undefined || !('result' in answer))
      throw new NodeFailure(`${name} left ${method} unanswered`);
    return { result: answer.result as T };
  }

  async function askOne<T>(question: Question): Promise<Outcome<T>> {
    const answer = (await post({ jsonrpc: '2.0', id: 1, ...question })) as Answer;
    if (answer.id !== 1 && !answer.error) throw new NodeFailure(`${name} answered another question`);
    return settle(question, answer);
  }

  async function askBatch<T>(questions: readonly Question[]): Promise<Outcome<T>[]> {
    if (!takesBatches || questions.length === 1) return inTurn(questions, askOne<T>);
    const answers = await post(questions.map((one, id) => ({ jsonrpc: '2.0', id, ...one }))).catch(noBatch);
    if (!Array.isArray(answers)) {
      // Some nodes refuse batches; that is no fault, and remembered.
      takesBatches = false;
      return askBatch(questions);
    }
    const byId = new Map((answers as Answer[]).map((answer) => [answer.id, answer]));
    return questions.map((question, id) => settle(question, byId.get(id)));
  }

  return {
    async ask<T>(question: Question) {
      const outcome = await askOne<T>(question);
      if ('refused' in outcome) throw outcome.refused;
      return outcome.result;
    },
    async askAll<T>(questions: readonly Question[]) {
      if (!takesBatches) return inTurn(questions, askOne<T>);
      const batches: Question[][] = [];
      for (let at = 0; at < questions.length; at += BATCH) batches.push(questions.slice(at, at + BATCH));
      return (await inTurn(batches, askBatch<T>)).flat();
    },
    close: () => pool.close(),
  };
}

/** As many at a time as there are connections: the time of a request must not run while it waits for one. */
async function inTurn<Item, T>(items: readonly Item[], ask: (item: Item) => Promise<T>): Promise<T[]> {
  const answers: T[] = [];
  let next = 0;
  async function work(): Promise<void> {
    for (let at = next++; at < items.length; at = next++) answers[at] = await ask(items[at] as Item);
  }
  await Promise.all(Array.from({ length: Math.min(CONNECTIONS, items.length) }, work));
  return answers;
}

/** A node that does not know batches answers with an error of its own; one that is away is away. */
function noBatch(error: unknown): undefined {
  if (error instanceof NodeFailure && error.cause === undefined && error.restMs === undefined)
    return undefined;
  throw error;
}

const DEFAULT_REST_MS = 1_000;

function parse(name: string, { statusCode, headers }: Dispatcher.ResponseData, text: string): unknown {
  if (statusCode === 429) {
    const seconds = Number(headers['retry-after']);
    const restMs = Number.isFinite(seconds) && seconds > 0 ? Math.min(seconds, 60) * 1_000 : DEFAULT_REST_MS;
    throw new NodeFailure(`${name} answers too many requests`, { restMs });
  }
  if (statusCode >= 300 && statusCode < 400)
    throw new NodeFailure(`${name} redirects (${statusCode}); give the URL that it redirects to`);
  if (statusCode === 401 || statusCode === 403)
    throw new NodeFailure(`${name} demands a key (${statusCode}); put it into the URL`);
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    throw new NodeFailure(
      `${name} answers something that is no JSON (${statusCode}, ${text.length} characters)`,
    );
  }
  if (typeof answer !== 'object' || answer === null)
    throw new NodeFailure(`${name} answers no JSON-RPC (${statusCode})`);
  return answer;
}
