import { writeAmount } from '../../platform/money.ts';
import type { Facts, TicketFact } from './facts.ts';
import type { Notified, NotifiedKind } from './notified.ts';
import { quote } from './quote.ts';

type Of<K extends NotifiedKind> = Extract<Notified, { kind: K }>;

/** `fact` names what is told; with the recipient it is unique, so nobody is told the same thing twice. */
export type Letter = { fact: string; recipient: string; subject: string; content: string };

/** What there is to tell of `messages`; what a later one tells again is there again. Pure. */
export function writeLetters(messages: readonly Notified[], facts: Facts): Letter[] {
  return messages.flatMap((message) => write(message, facts));
}

function write(message: Notified, facts: Facts): Letter[] {
  switch (message.kind) {
    case 'ticket.purchased':
    case 'ticket.transactions':
    case 'payment.refund':
      return toBuyer(message, facts);
    case 'hold.expired':
    case 'waiting.offered':
      return ofPlaces(message, facts);
    case 'ticket.minted':
      return minted(message, facts);
    case 'ticket.transfer_ordered':
      return transferOrdered(message, facts);
    case 'ticket.transferred':
      return transferred(message, facts);
    case 'ticket.revoked':
      return revoked(message, facts);
    case 'ticket.expired':
      return expired(message, facts);
  }
}

function toBuyer(
  message: Of<'ticket.purchased' | 'ticket.transactions' | 'payment.refund'>,
  facts: Facts,
): Letter[] {
  const order = facts.orders.get(message.body.orderId);
  if (!order) return [];
  const title = titleOf(facts, order.event_id);
  const letter = (fact: string, subject: string, text: string): Letter[] => [
    {
      fact,
      recipient: order.customer_email,
      subject,
      content: `Hello,\n\n${text}\nTransaction ${order.transaction_id}, in the name of ${quote(order.customer_name)}.\n`,
    },
  ];
  switch (message.kind) {
    case 'ticket.purchased': {
      const many = message.body.ticketIds.length;
      const what =
        many === 1 ? `your ticket for ${title} is yours.` : `your ${many} tickets for ${title} are yours.`;
      return letter(`order:${order.id}:purchased`, `Your tickets for ${title}`, `thank you: ${what}`);
    }
    case 'ticket.transactions': {
      if (message.body.status === 'completed') return [];
      const why =
        order.failure_code === 'paid_too_late'
          ? 'your payment came too late. It is on its way back to you.'
          : 'your payment was refused, and your places are on sale again. You may try again.';
      return letter(`order:${order.id}:failed`, `No tickets for ${title}`, why);
    }
    case 'payment.refund': {
      const amount = writeAmount(message.body.amountMinor, message.body.currency);
      const text = `${amount} are on their way back to you.`;
      return letter(`refund:${message.body.refundId}`, `Your refund for ${title}`, text);
    }
  }
}

function ofPlaces(message: Of<'hold.expired' | 'waiting.offered'>, facts: Facts): Letter[] {
  const { code, eventId, userId } = message.body;
  const recipient = facts.emailsOfHolds.get(code) ?? facts.emails.get(userId);
  if (recipient === undefined) return [];
  const title = titleOf(facts, eventId);
  if (message.kind === 'hold.expired') {
    return [
      {
        fact: `hold:${code}:expired`,
        recipient,
        subject: `Your places for ${title} are on sale again`,
        content: `${code} has run out. You may choose again.\n`,
      },
    ];
  }
  const { quantity, expiresAt } = message.body;
  const places = quantity === 1 ? 'One ticket is' : `${quantity} tickets are`;
  return [
    {
      fact: `offer:${code}`,
      recipient,
      subject: `Tickets for ${title} are waiting for you`,
      content: `${places} held for you. Buy with ${code} until ${expiresAt}.\n`,
    },
  ];
}

/** One letter when the whole order is on the chain: the last of its tickets finds no other that is not. */
function minted({ body }: Of<'ticket.minted'>, facts: Facts): Letter[] {
  const { ticket, siblings } = orderOf(facts, body.ticketId);
  if (!ticket || siblings.some(({ status }) => status === 'sold' || status === 'minting')) return [];
  const own = siblings.filter(({ user_id, nft_mint }) => user_id === body.userId && nft_mint !== null);
  const title = titleOf(facts, body.eventId);
  const [only] = own;
  if (!only) return [];
  const single = own.length === 1;
  return toHolder(facts, body.userId, ticket, {
    fact: `order:${ticket.order_id}:minted`,
    subject: single
      ? `Ticket ${only.ticket_number} for ${title} is on the chain`
      : `Your ${own.length} tickets for ${title} are on the chain`,
    content: single
      ? `Your ticket ${only.ticket_number} is the NFT ${only.nft_mint}.\n`
      : own.map((one) => `Ticket ${one.ticket_number} is the NFT ${one.nft_mint}.\n`).join(''),
  });
}

/** Told when staff order it: the holder may still object before the chain is asked, or soon after. */
function transferOrdered({ body }: Of<'ticket.transfer_ordered'>, facts: Facts): Letter[] {
  const { ticket } = orderOf(facts, body.ticketId);
  if (!ticket) return [];
  const what = `The organiser transfers ticket ${ticket.ticket_number} to somebody else.`;
  return toHolder(facts, body.userId, ticket, {
    fact: `transfer:${body.transferId}:ordered`,
    subject: `Your ticket for ${titleOf(facts, body.eventId)} is being transferred`,
    content: `${what} Their reason: ${quote(body.reason)}. If you did not ask for this, write to them.\n`,
  });
}

function transferred({ body }: Of<'ticket.transferred'>, facts: Facts): Letter[] {
  const { ticket } = orderOf(facts, body.ticketId);
  if (!ticket) return [];
  const title = titleOf(facts, body.eventId);
  const number = ticket.ticket_number;
  const fact = `ticket:${ticket.id}:transferred:${body.signature}`;
  return [
    ...toHolder(facts, body.fromUserId, ticket, {
      fact: `${fact}:given`,
      subject: `You gave away a ticket for ${title}`,
      content: `Ticket ${number} is no longer yours. Codes you were shown are void.\n`,
    }),
    ...toHolder(facts, body.toUserId, ticket, {
      fact: `${fact}:received`,
      subject: `You received a ticket for ${title}`,
      content: `Ticket ${number} for ${title} is yours now.\n`,
    }),
  ];
}

/** Tickets of an order that were ended in one moment are one fact, whichever of their messages comes first. */
function revoked({ body }: Of<'ticket.revoked'>, facts: Facts): Letter[] {
  const { ticket, siblings } = orderOf(facts, body.ticketId);
  if (!ticket) return [];
  const moment = ticket.since;
  const together = siblings.filter(
    ({ user_id, status, since }) => user_id === body.userId && status === ticket.status && since === moment,
  );
  const title = titleOf(facts, body.eventId);
  const numbers = numbersOf(together.length > 0 ? together : [ticket]);
  return toHolder(facts, body.userId, ticket, {
    fact: `order:${ticket.order_id}:revoked:${body.reason}:${moment ?? ticket.id}`,
    subject:
      together.length > 1 ? `Your tickets for ${title} were revoked` : `Your ticket for ${title} was revoked`,
    content: `${numbers.they} no longer valid. Reason: ${body.reason}.\n`,
  });
}

/** Those of the order that wait for their turn expire with the event as well, in another transaction. */
function expired({ body }: Of<'ticket.expired'>, facts: Facts): Letter[] {
  const { ticket, siblings } = orderOf(facts, body.ticketId);
  if (!ticket) return [];
  const unused = ['expired', 'sold', 'minting', 'active', 'transferred'];
  const own = siblings.filter(({ user_id, status }) => user_id === body.userId && unused.includes(status));
  const title = titleOf(facts, body.eventId);
  const single = own.length <= 1;
  return toHolder(facts, body.userId, ticket, {
    fact: `order:${ticket.order_id}:expired`,
    subject: `${title} is over`,
    content: single
      ? `Ticket ${ticket.ticket_number} was not used and has expired.\n`
      : `Tickets ${listOf(own)} were not used and have expired.\n`,
  });
}

function orderOf(facts: Facts, ticketId: string): { ticket: TicketFact | undefined; siblings: TicketFact[] } {
  const ticket = facts.tickets.get(ticketId);
  return { ticket, siblings: (ticket && facts.ticketsOf.get(ticket.order_id)) ?? [] };
}

/** The buyer has left an address with the order, also before there is a profile. */
function toHolder(
  facts: Facts,
  userId: string,
  ticket: TicketFact,
  letter: Omit<Letter, 'recipient'>,
): Letter[] {
  const order = facts.orders.get(ticket.order_id);
  const ofBuyer = order?.user_id === userId ? order.customer_email : undefined;
  const recipient = facts.emails.get(userId) ?? ofBuyer;
  return recipient === undefined ? [] : [{ recipient, ...letter }];
}

function titleOf(facts: Facts, eventId: string): string {
  return facts.titles.get(eventId) ?? 'your event';
}

function numbersOf(tickets: TicketFact[]): { they: string } {
  return { they: tickets.length === 1 ? `Ticket ${listOf(tickets)} is` : `Tickets ${listOf(tickets)} are` };
}

function listOf(tickets: TicketFact[]): string {
  return tickets.map(({ ticket_number }) => ticket_number).join(', ');
}
