import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

type Turns = { busy: boolean; waiting: (() => void)[] };

/**
 * Handles the requests of a connection one after the other, as their answers must go anyway. Node starts all that are
 * pipelined at once: 25 KiB of them read, copied and kept 1.2 GB of answers, and went on when the caller had gone. At
 * most `maxWaiting` wait: who sends more loses the connection, and so does who takes longer than `answerMs` to be
 * answered and to read it.
 */
export function inTurn(
  handle: RequestListener,
  { maxWaiting, answerMs }: { maxWaiting: number; answerMs: number },
): RequestListener {
  const connections = new WeakMap<Socket, Turns>();

  function turnsOf(socket: Socket): Turns {
    const known = connections.get(socket);
    if (known) return known;
    const turns: Turns = { busy: false, waiting: [] };
    connections.set(socket, turns);
    socket.once('close', () => turns.waiting.splice(0));
    return turns;
  }

  function run(turns: Turns, incoming: IncomingMessage, outgoing: ServerResponse): void {
    const { socket } = incoming;
    turns.busy = true;
    const cut = setTimeout(() => socket.destroy(), answerMs);
    outgoing.once('close', () => {
      clearTimeout(cut);
      turns.busy = false;
      if (!socket.destroyed) turns.waiting.shift()?.();
    });
    handle(incoming, outgoing);
  }

  return (incoming, outgoing) => {
    const { socket } = incoming;
    // What was parsed in one go with what broke the limit comes here too.
    if (socket.destroyed) return;
    const turns = turnsOf(socket);
    if (!turns.busy) run(turns, incoming, outgoing);
    else if (turns.waiting.length < maxWaiting) turns.waiting.push(() => run(turns, incoming, outgoing));
    else socket.destroy();
  };
}
