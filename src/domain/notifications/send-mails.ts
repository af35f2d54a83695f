import type { AppContext } from '../../context.ts';
import type { Db } from '../../platform/db.ts';
import { type TenantId, toTenantId } from '../../platform/ids.ts';
import { type Mail, MailRefused, MailUncertain, type SendMail } from '../../platform/mail.ts';
import { backoff, sleep } from '../../platform/retry.ts';
import { callFunction, withSystem, withTenant } from '../../platform/tenant-tx.ts';

type Context = Pick<AppContext, 'db' | 'clock' | 'log'> & { sendMail: SendMail };
type Claimed = { id: string; recipient: string; subject: string; content: string; attempts: number };
type Settled = {
  id: string;
  attempts: number;
  status: 'sent' | 'waiting' | 'refused' | 'uncertain';
  error?: string;
  next_attempt_at?: Date;
};

export type MailSender = {
  /** Sends what is due for a tenant, soon. */
  kick(tenantId: TenantId): void;
  /** Takes nothing more; resolves when the mails in hand are settled. */
  stop(): Promise<void>;
};

/** Mails in hand of one group: a process that dies leaves so many of which nobody knows whether they went out. */
const GROUP = 25;
/** Groups of one tenant before the others have their turn. */
const TURN = 8;
/** Longer than a group can take; a mail that is `sending` after it belongs to a process that is gone. */
const LEASE_MS = 10 * 60_000;
const TENANTS_AT_ONCE = 100;

/**
 * Sends the mails that were written, `atOnce` groups side by side. Each is `sending` in the database before the server
 * hears of it and `sent` after that. Where nobody knows whether the server took it, it becomes `uncertain`, is shown to
 * the operator and sent again only by their command: a letter that comes twice is an error that nobody can take back.
 */
export function createMailSender(ctx: Context, { atOnce }: { atOnce: number }): MailSender {
  const due = new Set<TenantId>();
  const running = new Set<Promise<void>>();
  let stopped = false;

  function pump(): void {
    while (!stopped && running.size < atOnce) {
      const [tenantId] = due;
      if (tenantId === undefined) return;
      due.delete(tenantId);
      const work = sendAll(tenantId)
        .catch((error: Error) =>
          ctx.log.warn({ tenantId, err: error.message }, 'mails could not be sent yet'),
        )
        .finally(() => {
          running.delete(work);
          pump();
        });
      running.add(work);
    }
  }

  async function sendAll(tenantId: TenantId): Promise<void> {
    let settled: Settled[] = [];
    for (let groups = 0; ; groups++) {
      due.delete(tenantId);
      // One tenant's mass of mails takes turns with the others.
      const yields = groups >= TURN && due.size > 0;
      const group = await exchange(ctx, tenantId, settled, yields || stopped ? 0 : GROUP);
      if (yields) due.add(tenantId);
      if (group.length === 0) return;
      if (group.length === GROUP) helpWith(tenantId);
      settled = await Promise.all(group.map((mail) => sendOne(ctx, mail)));
    }
  }

  /** There is more than one group of it: another sender that is free may take the next. */
  function helpWith(tenantId: TenantId): void {
    if (running.size >= atOnce) return;
    due.add(tenantId);
    pump();
  }

  return {
    kick(tenantId) {
      due.add(tenantId);
      pump();
    },
    async stop() {
      stopped = true;
      while (running.size > 0) await Promise.allSettled(running);
    },
  };
}

/** Finds mails whose time has come again, and those whose sender is gone. */
export async function sweepMails(ctx: Context, relay: Db, sender: MailSender): Promise<void> {
  const now = ctx.clock.now();
  const due = await withSystem(relay, (tx) =>
    tx
      .selectFrom('mails')
      .select(['tenant_id', 'status'])
      .distinct()
      .where('next_attempt_at', '<=', now)
      .limit(TENANTS_AT_ONCE)
      .execute(),
  );
  for (const { tenant_id, status } of due) {
    if (status === 'sending') await giveUp(ctx, toTenantId(tenant_id), now);
    else sender.kick(toTenantId(tenant_id));
  }
}

async function giveUp(ctx: Context, tenantId: TenantId, now: Date): Promise<void> {
  const error = 'The process that was sending this mail ended. It may have gone out.';
  const given = await withTenant(ctx.db, tenantId, (tx) =>
    tx
      .updateTable('mails')
      .set({ status: 'uncertain', error, next_attempt_at: null, settled_at: now })
      .where('tenant_id', '=', tenantId)
      .where('status', '=', 'sending')
      .where('next_attempt_at', '<=', now)
      .executeTakeFirst(),
  );
  ctx.log.error({ tenantId, mails: Number(given.numUpdatedRows) }, 'mails that may have gone out or not');
}

/** What became of a group must be kept, or somebody would have to ask: it is tried for as long as a process may drain. */
async function exchange(
  ctx: Context,
  tenantId: TenantId,
  settled: Settled[],
  count: number,
): Promise<Claimed[]> {
  for (let attempt = 1; ; attempt++) {
    try {
      const now = ctx.clock.now();
      const until = new Date(now.getTime() + LEASE_MS);
      return await callFunction<Claimed>(ctx.db, {
        name: 'exchange_mails',
        text: 'select * from exchange_mails($1, $2, $3, $4, $5)',
        values: [tenantId, now, until, JSON.stringify(settled), count],
      });
    } catch (error) {
      if (settled.length === 0 || attempt === 6) throw error;
      await sleep(backoff(attempt, 500, 5_000));
    }
  }
}

async function sendOne(ctx: Context, mail: Claimed): Promise<Settled> {
  const { id, attempts, recipient, subject, content } = mail;
  const letter: Mail = { id, to: recipient, subject, text: content };
  try {
    await ctx.sendMail(letter);
    return { id, attempts, status: 'sent' };
  } catch (thrown) {
    const error = (thrown as Error).message.slice(0, 1_000);
    ctx.log.warn({ mailId: id, attempts, err: error }, 'a mail could not be sent');
    if (thrown instanceof MailRefused) return { id, attempts, status: 'refused', error };
    if (thrown instanceof MailUncertain) return { id, attempts, status: 'uncertain', error };
    const pause = 500 + backoff(attempts, 2_000, 10 * 60_000);
    const next_attempt_at = new Date(ctx.clock.now().getTime() + pause);
    return { id, attempts, status: 'waiting', error, next_attempt_at };
  }
}
