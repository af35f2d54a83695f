import { accountMethods } from './account-methods.ts';
import { historyMethods } from './history-methods.ts';
import type { Methods, Node } from './node.ts';
import { invalidParams, methodNotFound, RpcError } from './rpc-error.ts';
import { sendMethods } from './send-methods.ts';
import { slotMethods } from './slot-methods.ts';

const methods: Methods = { ...slotMethods, ...accountMethods, ...historyMethods, ...sendMethods };

export type Call = { jsonrpc?: unknown; id?: unknown; method?: unknown; params?: unknown };

/** One answer to one call; undefined for a notification, which gets none. */
export function answerCall(node: Node, call: unknown): object | undefined {
  if (typeof call !== 'object' || call === null || Array.isArray(call))
    return failed(null, -32600, 'Invalid request');
  const { jsonrpc, id, method, params = [] } = call as Call;
  if (typeof method !== 'string') return failed(null, -32600, 'Invalid request');
  if (jsonrpc !== '2.0') {
    return { error: { code: -32600, message: 'Unsupported JSON-RPC protocol version' }, id: id ?? null };
  }
  if (id === undefined) return undefined;
  return answer(id, () => {
    const found = Object.hasOwn(methods, method) ? methods[method] : undefined;
    if (found === undefined) throw methodNotFound();
    if (!Array.isArray(params)) throw invalidParams('`params` should be an array');
    return found(node, params);
  });
}

/** Whatever is thrown that is no RpcError is a fault of this server, and is thrown on. */
export function answer(id: unknown, ask: () => unknown): object {
  try {
    return { jsonrpc: '2.0', result: ask(), id };
  } catch (error) {
    if (error instanceof RpcError) return failed(id, error.code, error.message, error.data);
    throw error;
  }
}

export function failed(id: unknown, code: number, message: string, data?: unknown): object {
  return { jsonrpc: '2.0', error: { code, message, ...(data === undefined ? {} : { data }) }, id };
}
