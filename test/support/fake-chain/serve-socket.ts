import type { Server } from 'node:http';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Block } from './block.ts';
import { answer, type Call, failed } from './rpc/call-method.ts';
import type { Node } from './rpc/node.ts';
import { numberAt } from './rpc/params.ts';
import { invalidParams, methodNotFound } from './rpc/rpc-error.ts';
import { type Subscription, subscriptionOf } from './subscriptions.ts';
import { tellBadly } from './tell-badly.ts';
import type { Commitment } from './view.ts';

/** The WebSocket side of a node. */
export type Socket = {
  /** Tells what is new since it was called last. */
  tell(): void;
  /** Says something to everybody, whatever they asked for. */
  say(message: unknown): void;
  /** Breaks all connections. */
  cut(): void;
  close(): void;
};

type Subscribed = Subscription & { id: number; key: string; listeners: Set<WebSocket> };

/** Takes WebSockets on the port of `server`. As on Agave, the same wish gets the same number. */
export function serveSocket(node: Node, server: Server): Socket {
  const sockets = new WebSocketServer({ server });
  const byKey = new Map<string, Subscribed>();
  const news = newsOf(node);
  const push = tellBadly(node);
  let nextId = 0;

  function subscribe(socket: WebSocket, method: string, params: unknown[]): number {
    const key = JSON.stringify([method, params]);
    const wanted = byKey.get(key) ?? add(key, method, params);
    wanted.listeners.add(socket);
    const { atOnce } = wanted;
    // The number of a subscription comes before what it tells.
    setImmediate(() => {
      for (const result of atOnce?.() ?? []) notify(wanted, [socket], result);
    });
    return wanted.id;
  }

  function add(key: string, method: string, params: unknown[]): Subscribed {
    const subscription = subscriptionOf(node, method, params);
    if (subscription === undefined) throw methodNotFound();
    const subscribed = { ...subscription, id: nextId++, key, listeners: new Set<WebSocket>() };
    byKey.set(key, subscribed);
    return subscribed;
  }

  function unsubscribe(socket: WebSocket, params: unknown[]): boolean {
    const id = numberAt(params, 0);
    const found = [...byKey.values()].find((one) => one.id === id && one.listeners.has(socket));
    if (found === undefined) throw invalidParams('Invalid subscription id.');
    leave(found, socket);
    return true;
  }

  function leave(subscribed: Subscribed, socket: WebSocket): void {
    subscribed.listeners.delete(socket);
    if (subscribed.listeners.size === 0) byKey.delete(subscribed.key);
  }

  function notify(subscribed: Subscribed, listeners: Iterable<WebSocket>, result: unknown): void {
    const { kind, id, once } = subscribed;
    const text = JSON.stringify({
      jsonrpc: '2.0',
      method: `${kind}Notification`,
      params: { result, subscription: id },
    });
    for (const socket of [...listeners]) {
      if (!subscribed.listeners.has(socket)) continue;
      push(socket, kind, text);
      if (once) leave(subscribed, socket);
    }
  }

  function hear(socket: WebSocket, call: unknown): object | undefined {
    const { id = null, method, params = [] } = (call ?? {}) as Call;
    if (typeof method !== 'string') return failed(null, -32600, 'Invalid request');
    return answer(id, () => {
      if (!Array.isArray(params)) throw invalidParams('`params` should be an array');
      return method.endsWith('Unsubscribe') ? unsubscribe(socket, params) : subscribe(socket, method, params);
    });
  }

  sockets.on('connection', (socket) => {
    socket.on('error', () => socket.terminate());
    socket.on('close', () => {
      for (const subscribed of [...byKey.values()]) leave(subscribed, socket);
    });
    socket.on('message', (data) => {
      const calls = parse(String(data));
      if (calls === undefined) return socket.send(JSON.stringify(failed(null, -32700, 'Parse error')));
      const said = Array.isArray(calls) ? calls.map((call) => hear(socket, call)) : hear(socket, calls);
      socket.send(JSON.stringify(said));
    });
  });

  return {
    tell() {
      const fresh = news();
      for (const subscribed of [...byKey.values()]) {
        for (const block of fresh[subscribed.commitment]) {
          for (const result of subscribed.tell(block)) notify(subscribed, subscribed.listeners, result);
        }
      }
    },
    say(message) {
      for (const socket of sockets.clients) socket.send(JSON.stringify(message));
    },
    cut() {
      for (const socket of sockets.clients) socket.terminate();
    },
    close() {
      for (const socket of sockets.clients) socket.terminate();
      sockets.close();
    },
  };
}

/** Blocks that reached each commitment since the last call, oldest first. After a fork, those of the new branch. */
function newsOf(node: Node): () => Record<Commitment, Block[]> {
  const told = {
    processed: new WeakSet<Block>(),
    confirmed: new WeakSet<Block>(),
    finalized: new WeakSet<Block>(),
  };
  const since = (commitment: Commitment): Block[] => {
    const fresh: Block[] = [];
    for (let { height } = node.view.block(commitment); height > 0; height--) {
      const block = node.ledger.blockAt(height);
      if (told[commitment].has(block)) break;
      told[commitment].add(block);
      fresh.unshift(block);
    }
    return fresh;
  };
  return () => ({
    processed: since('processed'),
    confirmed: since('confirmed'),
    finalized: since('finalized'),
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
