import { createHash } from 'node:crypto';
import type { LiteSVM } from 'litesvm';
import { type Address, TOKEN_2022_PROGRAM, TOKEN_PROGRAM } from '../../../../programs-client/addresses.ts';
import { account, PROGRAM } from './chain.ts';
import { people } from './world.ts';

/** Accounts by address, as text that differs as soon as anything in them does. */
export type State = { [address: string]: string };

/**
 * Everybody but the fee payer, every account of the program and of both token programs, and the accounts named: two
 * states are equal exactly if none of them changed, came or went.
 */
export function stateOf(svm: LiteSVM, named: readonly string[] = []): State {
  const owned = [PROGRAM, TOKEN_2022_PROGRAM, TOKEN_PROGRAM].flatMap((program) =>
    svm.getProgramAccounts(program as never).map((one) => one.address as string),
  );
  const everybody = Object.values(people).map(({ address }) => address as string);
  return stateAt(svm, [...owned, ...everybody, ...named]);
}

/** The same of these accounts only, which is quicker. */
export function stateAt(svm: LiteSVM, addresses: readonly string[]): State {
  const watched = addresses.filter((address) => address !== people.feePayer.address);
  return Object.fromEntries(watched.map((address) => [address, textOf(svm, address as Address)]));
}

function textOf(svm: LiteSVM, address: Address): string {
  const found = account(svm, address);
  if (found === undefined) return 'none';
  const data = found.data.length > 0 ? createHash('sha1').update(found.data).digest('hex') : '';
  return `${found.lamports} ${found.owner} ${data}`;
}
