import type { WebSocket } from 'ws';
import type { Node } from './rpc/node.ts';

/** Sends a notification as well or as badly as the node's faults have it: never, twice, late, or after the next. */
export function tellBadly(node: Node): (socket: WebSocket, kind: string, text: string) => void {
  const heldBack = new WeakMap<WebSocket, string>();

  return (socket, kind, text) => {
    const { drop, double, swap, late, silent } = node.faults().notifications ?? {};
    const happens = (fault: string, chance: typeof drop) =>
      node.dice.happens(fault, `${node.name} ${kind}`, chance);
    if (silent || happens('notificationDrop', drop)) return;
    if (!heldBack.has(socket) && happens('notificationSwap', swap)) {
      heldBack.set(socket, text);
      return;
    }
    const earlier = heldBack.get(socket);
    heldBack.delete(socket);
    const said = [text, ...(happens('notificationDouble', double) ? [text] : [])];
    if (earlier !== undefined) said.push(earlier);
    if (late && happens('notificationLate', late.chance)) {
      const ms = node.dice.between('notificationLate', `${node.name} ${kind}`, late.ms);
      setTimeout(() => say(socket, said), ms).unref();
      return;
    }
    say(socket, said);
  };
}

function say(socket: WebSocket, texts: string[]): void {
  for (const text of texts) socket.send(text);
}
