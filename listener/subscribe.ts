import type { Logger } from '../src/platform/logger.ts';
import { backoff, sleep } from '../src/platform/retry.ts';

export type Hints = {
  /** The newest slot that the node told of. */
  slot(): number;
  /** Resolves at the next sign of our program, at a reconnect, or after `ms`. */
  next(ms: number): Promise<void>;
};

/** Without a slot for so long the socket counts as dead, whatever it says of itself. */
const SILENCE_MS = 10_000;

/**
 * Keeps a WebSocket to the node open until `signal`. What it says is a hint that there is something to fetch; nothing
 * is believed because of it, so a lost or doubled notification does no harm.
 */
export function subscribe(options: {
  url: string;
  programId: string;
  log: Logger;
  signal: AbortSignal;
}): Hints {
  const { url, programId, log, signal } = options;
  let slot = 0;
  let woken = false;
  let wake: () => void = () => {};

  function hint(): void {
    woken = true;
    wake();
  }

  async function keepOpen(): Promise<void> {
    for (let attempt = 1; !signal.aborted; attempt++) {
      const opened = await listen().catch((error: Error) => {
        log.warn({ err: error.message }, 'the socket to the chain broke');
        return false;
      });
      if (opened) attempt = 1;
      // Whatever happened meanwhile was not notified: fetch.
      hint();
      await sleep(100 + backoff(attempt, 200, 5_000), signal);
    }
  }

  function listen(): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(url);
      let opened = false;
      let watchdog: NodeJS.Timeout | undefined;
      const stop = (): void => socket.close();
      const feed = (): void => {
        clearTimeout(watchdog);
        watchdog = setTimeout(() => {
          log.warn({ silenceMs: SILENCE_MS }, 'no slot for too long, reconnecting');
          socket.close();
        }, SILENCE_MS);
      };
      signal.addEventListener('abort', stop, { once: true });
      socket.addEventListener('open', () => {
        opened = true;
        feed();
        send(socket, 1, 'slotSubscribe', []);
        send(socket, 2, 'logsSubscribe', [{ mentions: [programId] }, { commitment: 'confirmed' }]);
        hint();
      });
      socket.addEventListener('message', ({ data }) => {
        const message = read(data);
        if (message?.method === 'slotNotification') {
          slot = Math.max(slot, Number(message.params?.result?.slot ?? 0));
          feed();
        } else if (message?.method === 'logsNotification') hint();
      });
      socket.addEventListener('error', () => reject(new Error(`cannot reach ${url}`)), { once: true });
      socket.addEventListener(
        'close',
        () => {
          clearTimeout(watchdog);
          signal.removeEventListener('abort', stop);
          resolve(opened);
        },
        { once: true },
      );
    });
  }

  void keepOpen();
  return {
    slot: () => slot,
    async next(ms) {
      if (!woken) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, ms);
          signal.addEventListener('abort', () => resolve(), { once: true });
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
        wake = () => {};
      }
      woken = false;
    },
  };
}

type Notification = { method?: string; params?: { result?: { slot?: number } } };

function send(socket: WebSocket, id: number, method: string, params: unknown[]): void {
  socket.send(JSON.stringify({ jsonrpc: '2.0', id, method, params }));
}

function read(data: unknown): Notification | undefined {
  try {
    return JSON.parse(String(data)) as Notification;
  } catch {
    return undefined;
  }
}
