import {
  ASSOCIATED_TOKEN_PROGRAM,
  TOKEN_2022_PROGRAM,
  TOKEN_PROGRAM,
} from '../../../programs-client/addresses.ts';
import type { Account } from './account-history.ts';
import { textOf } from './base58.ts';
import type { TokenBalance } from './block.ts';

const TOKEN_PROGRAMS: string[] = [TOKEN_PROGRAM, TOKEN_2022_PROGRAM];
/** A token account is so long, or longer with its kind at the end of that: 2 for a token account, 1 for a mint. */
const TOKEN_BYTES = 165;
const MINT_BYTES = 82;
export const SUPPLY_AT = 36;
export const DECIMALS_AT = 44;

/** What the token accounts among `addresses` hold, as the meta of a transaction tells it. */
export function tokenBalances(
  addresses: string[],
  account: (address: string) => Account | undefined,
): TokenBalance[] {
  // Whoever moves tokens lists their program.
  if (!addresses.some((one) => TOKEN_PROGRAMS.includes(one) || one === ASSOCIATED_TOKEN_PROGRAM)) return [];
  return addresses.flatMap((address, accountIndex) => {
    const found = account(address);
    if (!found || !TOKEN_PROGRAMS.includes(found.owner) || !isTokenAccount(found.data)) return [];
    const mint = textOf(found.data.subarray(0, 32));
    const decimals = account(mint)?.data[DECIMALS_AT];
    if (decimals === undefined) return [];
    const amount = found.data.readBigUInt64LE(64);
    const told = uiAmountOf(amount, decimals);
    // None is null here, and 0 where a supply is asked for.
    const uiTokenAmount = amount === 0n ? { ...told, uiAmount: null } : told;
    const owner = textOf(found.data.subarray(32, 64));
    return [{ accountIndex, mint, owner, programId: found.owner, uiTokenAmount }];
  });
}

export function uiAmountOf(amount: bigint, decimals: number): TokenBalance['uiTokenAmount'] {
  const value = Number(amount) / 10 ** decimals;
  return { amount: `${amount}`, decimals, uiAmount: value, uiAmountString: `${value}` };
}

export function isMint({ owner, data }: Account): boolean {
  const sized = data.length === MINT_BYTES || (data.length > TOKEN_BYTES && data[TOKEN_BYTES] === 1);
  return TOKEN_PROGRAMS.includes(owner) && sized;
}

function isTokenAccount(data: Buffer): boolean {
  return data.length === TOKEN_BYTES || (data.length > TOKEN_BYTES && data[TOKEN_BYTES] === 2);
}
