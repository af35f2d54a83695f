import type { BusMessage } from '../../src/platform/bus.ts';
import type { Mail } from '../../src/platform/mail.ts';
import { waitFor } from '../../src/platform/retry.ts';
import { runBackground } from '../../src/workers/run-background.ts';
import type { TestContext } from './test-context.ts';

export type TestWorkers = {
  /** Mails that were sent; one that was sent twice is there once, as its id says. */
  mails(to?: string): Mail[];
  /** What reached the queues of the mint worker, which does not run here. */
  chainWork(kind: string): BusMessage[];
  until<T>(what: string, probe: () => Promise<T | undefined | null | false>): Promise<T>;
  stop(): Promise<void>;
};

/** The background service as in production, in this process; mails are kept instead of sent. */
export async function startWorkers(ctx: TestContext): Promise<TestWorkers> {
  const mails = new Map<string, Mail>();
  const chainWork = new Map<string, BusMessage>();
  const stop = new AbortController();
  const { signal } = stop;
  for (const queue of ['ticket.mint', 'blockchain']) {
    await ctx.bus.subscribe(queue, { prefetch: 16, signal }, async (message) => {
      chainWork.set(message.id, message);
      return 'done';
    });
  }
  const sendMail = async (mail: Mail): Promise<void> => void mails.set(mail.id, mail);
  const { relay } = ctx.database;
  const [spare, pulse] = [ctx.database.open('tessera_app', 2), ctx.database.open('tessera_app', 1)];
  const running = runBackground({ ...ctx, relay, spare, pulse, sendMail }, signal);
  return {
    mails: (to) => [...mails.values()].filter((mail) => to === undefined || mail.to === to),
    chainWork: (kind) => [...chainWork.values()].filter((message) => message.kind === kind),
    async until(what, probe) {
      const value = await waitFor(probe, { timeoutMs: 15_000, everyMs: 20 });
      if (value === undefined) throw new Error(`${what} did not come`);
      return value;
    },
    async stop() {
      stop.abort();
      await running;
    },
  };
}
