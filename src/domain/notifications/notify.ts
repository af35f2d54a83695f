import type { Message } from '../../messages.ts';
import type { Db } from '../../platform/db.ts';
import { RetryableError } from '../../platform/errors.ts';
import type { TenantId } from '../../platform/ids.ts';
import type { SendMail } from '../../platform/mail.ts';
import { writeAmount } from '../../platform/money.ts';
import { type TenantTx, withTenant } from '../../platform/tenant-tx.ts';
import { findEvent } from '../events/queries.ts';
import { findTicket } from '../tickets/queries.ts';

type Letter = { to: string; subject: string; text: string };
export type NotifiedKind =
  | 'ticket.purchased'
  | 'ticket.minted'
  | 'ticket.transferred'
  | 'ticket.revoked'
  | 'ticket.expired'
  | 'ticket.transactions'
  | 'payment.refund'
  | 'hold.expired'
  | 'waiting.offered';
type Notified = Extract<Message, { kind: NotifiedKind }>;

/** Tells the person concerned what became of their tickets. Whoever left no address is not written to. */
export async function notify(
  ctx: { db: Db; sendMail: SendMail },
  tenantId: TenantId,
  message: Notified & { id: string },
): Promise<void> {
  const letters = await withTenant(ctx.db, tenantId, (tx) => write(tx, tenantId, message));
  for (const [i, letter] of letters.entries()) {
    try {
      await ctx.sendMail({ id: `${message.id}-${i}`, ...letter });
    } catch (error) {
      throw new RetryableError('the mail could not be sent', error);
    }
  }
}

async function write(tx: TenantTx, tenantId: TenantId, message: Notified): Promise<Letter[]> {
  switch (message.kind) {
    case 'ticket.purchased':
    case 'ticket.transactions':
    case 'payment.refund':
      return writeToBuyer(tx, tenantId, message);
    case 'hold.expired':
    case 'waiting.offered':
      return writeOfPlaces(tx, tenantId, message);
    default:
      return writeToHolder(tx, tenantId, message);
  }
}

async function writeToBuyer(
  tx: TenantTx,
  tenantId: TenantId,
  message: Extract<Notified, { kind: 'ticket.purchased' | 'ticket.transactions' | 'payment.refund' }>,
): Promise<Letter[]> {
  const order = await tx
    .selectFrom('orders as o')
    .innerJoin('events as e', (join) =>
      join.onRef('e.tenant_id', '=', 'o.tenant_id').onRef('e.id', '=', 'o.event_id'),
    )
    .select(['o.customer_email', 'o.customer_name', 'o.failure_code', 'o.transaction_id', 'e.title'])
    .where('o.tenant_id', '=', tenantId)
    .where('o.id', '=', message.body.orderId)
    .executeTakeFirst();
  if (!order) return [];
  const { title, transaction_id: transaction } = order;
  const letter = (subject: string, text: string): Letter[] => [
    {
      to: order.customer_email,
      subject,
      text: `Hello ${order.customer_name},\n\n${text}\nTransaction ${transaction}.\n`,
    },
  ];
  switch (message.kind) {
    case 'ticket.purchased': {
      const many = message.body.ticketIds.length;
      const what =
        many === 1 ? `your ticket for ${title} is yours.` : `your ${many} tickets for ${title} are yours.`;
      return letter(`Your tickets for ${title}`, `thank you: ${what}`);
    }
    case 'ticket.transactions':
      if (message.body.status === 'completed') return [];
      return order.failure_code === 'paid_too_late'
        ? letter(`No tickets for ${title}`, 'your payment came too late. It is on its way back to you.')
        : letter(
            `No tickets for ${title}`,
            'your payment was refused, and your places are on sale again. You may try again.',
          );
    case 'payment.refund': {
      const amount = writeAmount(message.body.amountMinor, message.body.currency);
      return letter(`Your refund for ${title}`, `${amount} are on their way back to you.`);
    }
  }
}

async function writeOfPlaces(
  tx: TenantTx,
  tenantId: TenantId,
  message: Extract<Notified, { kind: 'hold.expired' | 'waiting.offered' }>,
): Promise<Letter[]> {
  const { code, eventId, userId } = message.body;
  const hold = await tx
    .selectFrom('holds')
    .select('customer_email')
    .where('tenant_id', '=', tenantId)
    .where('code', '=', code)
    .executeTakeFirst();
  const title = await titleOf(tx, tenantId, eventId);
  const letter =
    message.kind === 'hold.expired'
      ? {
          subject: `Your places for ${title} are on sale again`,
          text: `${code} has run out. You may choose again.\n`,
        }
      : {
          subject: `Tickets for ${title} are waiting for you`,
          text: `${message.body.quantity === 1 ? 'One ticket is' : `${message.body.quantity} tickets are`} held for you. Buy with ${code} until ${message.body.expiresAt}.\n`,
        };
  return hold?.customer_email
    ? [{ to: hold.customer_email, ...letter }]
    : address(tx, tenantId, userId, letter);
}

async function titleOf(tx: TenantTx, tenantId: TenantId, eventId: string): Promise<string> {
  return (await findEvent(tx, tenantId, eventId))?.title ?? 'your event';
}

async function writeToHolder(
  tx: TenantTx,
  tenantId: TenantId,
  message: Extract<
    Notified,
    { kind: 'ticket.minted' | 'ticket.transferred' | 'ticket.revoked' | 'ticket.expired' }
  >,
): Promise<Letter[]> {
  const title = await titleOf(tx, tenantId, message.body.eventId);
  const number = (await findTicket(tx, tenantId, message.body.ticketId))?.ticket_number ?? '';
  const to = (userId: string, subject: string, text: string): Promise<Letter[]> =>
    address(tx, tenantId, userId, { subject, text: `${text}\n` });
  switch (message.kind) {
    case 'ticket.minted':
      return to(
        message.body.userId,
        `Ticket ${number} for ${title} is on the chain`,
        `Your ticket ${number} is the NFT ${message.body.mint}.`,
      );
    case 'ticket.transferred': {
      const given = `Ticket ${number} is no longer yours. Codes you were shown are void.`;
      return [
        ...(await to(message.body.fromUserId, `You gave away a ticket for ${title}`, given)),
        ...(await to(
          message.body.toUserId,
          `You received a ticket for ${title}`,
          `Ticket ${number} for ${title} is yours now.`,
        )),
      ];
    }
    case 'ticket.revoked':
      return to(
        message.body.userId,
        `Your ticket for ${title} was revoked`,
        `Ticket ${number} is no longer valid. Reason: ${message.body.reason}.`,
      );
    case 'ticket.expired':
      return to(message.body.userId, `${title} is over`, `Ticket ${number} was not used and has expired.`);
  }
}

async function address(
  tx: TenantTx,
  tenantId: TenantId,
  userId: string,
  letter: Omit<Letter, 'to'>,
): Promise<Letter[]> {
  const user = await tx
    .selectFrom('users')
    .select('email')
    .where('tenant_id', '=', tenantId)
    .where('user_id', '=', userId)
    .executeTakeFirst();
  return user?.email ? [{ to: user.email, ...letter }] : [];
}
