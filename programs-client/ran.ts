import { type Address, NO_ADDRESS } from './addresses.ts';
import { UnreadableTransactionError } from './unreadable-transaction-error.ts';
import type { Fields } from './wire.ts';

/** An instruction of the program as it ran, with the event that it wrote to the logs, if that was found. */
export type Ran = {
  programId: Address;
  name: string;
  path: string;
  accounts: { [account: string]: Address | undefined };
  args: Fields;
  logged: { name: string; fields: Fields } | undefined;
};

/** An account of a transaction that succeeded, so that it must have been there. */
export function accountOf(ran: Ran, name: string): Address {
  const address = ran.accounts[name];
  if (address === undefined) {
    const what = `${ran.name} at ${ran.path} ran without the account ${name}`;
    throw new UnreadableTransactionError('malformed', what);
  }
  return address;
}

/** The event's fields, if the logs had it and it is of the ticket that the instruction names. */
export function loggedAs(ran: Ran, event: string): Fields | undefined {
  const { logged } = ran;
  if (logged?.name !== event) return undefined;
  return logged.fields.ticket === undefined || logged.fields.ticket === ran.accounts.ticket
    ? logged.fields
    : undefined;
}

export function placeOf(ran: Ran): { instructionPath: string; ordinal: number } {
  return { instructionPath: ran.path, ordinal: 0 };
}

/** Undefined for the all-zero address that stands for "none". */
export function present(value: unknown): Address | undefined {
  return value === undefined || value === NO_ADDRESS ? undefined : (value as Address);
}
