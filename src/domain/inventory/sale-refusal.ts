import { type Actor, isStaff } from '../../platform/actor.ts';
import { DomainError, notFound } from '../../platform/errors.ts';
import { inFlight, keyReused } from '../../platform/idempotency.ts';

/** What `place_orders`, `reserve_places` and `lock_seats` answer for one request. */
export type SaleRow = { n: number; outcome: string; details: Record<string, unknown> };

/** The problem that a refused request is to who asked, each with its own stable code. A hidden event is there for staff alone. */
export function saleRefusal({ outcome, details }: SaleRow, actor: Actor): DomainError {
  const conflict = (message: string, extra: Record<string, unknown> = {}): DomainError =>
    new DomainError('conflict', outcome, message, { extra });
  switch (outcome) {
    case 'in_flight':
      return inFlight();
    case 'key_reused':
      return keyReused();
    case 'not_found':
      return notFound('event or ticket type');
    case 'hold_not_found':
      return notFound('reservation or lock');
    case 'seat_not_found':
      return new DomainError('not_found', 'seat_not_found', 'There are no such seats.', {
        extra: { seatIds: details.unavailable },
      });
    case 'event_hidden':
      return isStaff(actor)
        ? new DomainError('conflict', 'not_on_sale', 'The event is not active.')
        : notFound('event or ticket type');
    case 'not_on_sale':
      return conflict('This is not on sale.');
    case 'sales_not_open':
      return conflict('The sale has not begun.');
    case 'sales_closed':
      return conflict('The sale has ended.');
    case 'seats_required':
      return conflict('This is sold by the seat: lock seats first.');
    case 'limit_exceeded':
      return new DomainError('conflict', 'order_limit_exceeded', `At most ${details.limit} in one order.`, {
        extra: { limit: details.limit },
      });
    case 'customer_limit_exceeded':
      return conflict(`At most ${details.customerLimit} for one person.`, { limit: details.customerLimit });
    case 'hold_limit_exceeded':
      return conflict(`At most ${details.limit} places of an event held at once by one person.`, {
        limit: details.limit,
      });
    case 'sold_out':
      return soldOut(Number(details.available));
    case 'seats_unavailable':
      return conflict('Some of the seats are taken.', { unavailable: details.unavailable });
    case 'hold_expired':
      return conflict('The reservation or lock has run out.');
    case 'hold_released':
      return conflict('The reservation or lock was given up, or its payment was refused.');
    case 'hold_used':
      return conflict('The reservation or lock was used already.');
    case 'wrong_currency':
      return conflict('This is sold in another currency.');
    case 'customer_missing':
      return new DomainError('invalid', 'customer_missing', 'customerName and customerEmail are required.');
    case 'payment_missing':
      return new DomainError('invalid', 'payment_missing', 'There is something to pay: payment is required.');
    case 'promo_invalid':
      return conflict('This promotion code is not valid here.');
    case 'promo_exhausted':
      return conflict('This promotion code is used up.');
    case 'promo_user_limit':
      return conflict('You have used this promotion code already.');
    default:
      throw new Error(`the database answered ${outcome}`);
  }
}

export function soldOut(available: number): DomainError {
  return new DomainError('conflict', 'sold_out', 'Not enough places are left.', { extra: { available } });
}
