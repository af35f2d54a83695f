import { TOKEN_2022_PROGRAM, TOKEN_PROGRAM } from '../../../../programs-client/addresses.ts';
import type { Rpc } from '../rpc/rpc.ts';
import type { Coin } from './face-value.ts';

/** Where a mint of either token program has its decimals, and whether it is initialized. */
const DECIMALS_AT = 44;
const INITIALIZED_AT = 45;

/**
 * What is wrong with a configured coin on this chain, in a sentence; undefined when nothing is. Face values are for good:
 * a coin that has other decimals than the configuration says would put all of them wrong by powers of ten.
 * @throws DomainError unavailable
 */
export async function findCoinFault(rpc: Rpc, currency: string, coin: Coin): Promise<string | undefined> {
  const { value } = await rpc.ask((node) => node.getAccounts([coin.mint], { commitment: 'confirmed' }));
  const [account] = value;
  const owned = account?.owner === TOKEN_PROGRAM || account?.owner === TOKEN_2022_PROGRAM;
  if (!account || !owned || account.data[INITIALIZED_AT] !== 1)
    return `CHAIN_CURRENCIES gives ${currency} the mint ${coin.mint}, and on this chain that is no mint.`;
  const decimals = account.data[DECIMALS_AT];
  if (decimals !== coin.decimals)
    return `CHAIN_CURRENCIES gives ${currency} ${coin.decimals} decimals, and its mint ${coin.mint} has ${decimals}.`;
  return undefined;
}
