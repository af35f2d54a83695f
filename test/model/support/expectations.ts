import type { Free } from './books.ts';
import { boughtBy, type Command, heldBy, type Memory, type Outcome } from './commands.ts';
import { type Hall, LIMIT, SEATS_IN_ROW } from './hall.ts';

/** Of a reservation or lock: whether its buyer may still use it, by the rows alone. */
export type HoldState = 'usable' | 'used' | 'given up' | 'run out';
/** What the rows say before a command that runs alone. */
export type Before = {
  free: Free;
  /** The standing places that the buyer of the command has. */
  share: number;
  hold: HoldState | undefined;
  repeated: { status: number; body: unknown } | undefined;
};

const bought = {
  tok_success: '201',
  tok_declined: '402 payment_failed',
  tok_timeout: '202',
  tok_requires_action: '202',
};

/** What a command that runs alone must come to: an HTTP status with a code; undefined where several things may happen. */
export function expected(command: Command, before: Before, memory: Memory, hall: Hall): string[] | undefined {
  const { free, hold, share } = before;
  const wish = (quantity: number, granted: string): string[] => {
    if (quantity > free.standing) return ['409 sold_out'];
    return [share + quantity > LIMIT ? '409 customer_limit_exceeded' : granted];
  };
  switch (command.do) {
    case 'reserve':
      return wish(command.quantity, '201');
    case 'buy':
      return wish(command.quantity, bought[command.token]);
    case 'lock':
      return command.seats.every((seat) => free.seats.has(hall.seats[seat] as string))
        ? ['201']
        : ['409 seats_unavailable'];
    case 'lock best':
      return hasRun(hall, free, command.quantity) ? ['201'] : ['409 no_adjacent_seats'];
    case 'release':
      if (!heldBy(memory, command)) return undefined;
      return hold === 'usable' ? ['200'] : ['409 hold_over'];
    case 'check out':
      if (!heldBy(memory, command)) return undefined;
      if (hold === 'usable') return [bought[command.token]];
      return [
        `409 ${{ used: 'hold_used', 'given up': 'hold_released', 'run out': 'hold_expired' }[hold ?? 'run out']}`,
      ];
    case 'repeat':
      return before.repeated && [201, 402].includes(before.repeated.status)
        ? [before.repeated.status === 201 ? '201' : '402 payment_failed']
        : undefined;
    case 'forge a notice':
      return boughtBy(memory, command)?.orderId ? ['401 unauthenticated'] : undefined;
    case 'everybody pays':
      return ['200'];
    case 'notify':
      return boughtBy(memory, command)?.orderId ? ['200'] : undefined;
    case 'set capacity':
      return free.capacity - free.standing <= command.capacity ? ['200'] : ['409 capacity_below_sold'];
    default:
      return undefined;
  }
}

export function shortly({ status, code }: Outcome): string {
  return code === undefined ? String(status) : `${status} ${code}`;
}

function hasRun(hall: Hall, free: Free, quantity: number): boolean {
  return hall.seats.some(
    (_, first) =>
      (first % SEATS_IN_ROW) + quantity <= SEATS_IN_ROW &&
      hall.seats.slice(first, first + quantity).every((seat) => free.seats.has(seat)),
  );
}
