import { PublicKey } from '@solana/web3.js';

/** A Solana address in base58, 32 bytes long. Make one with `toAddress`. */
export type Address = string & { readonly __brand: 'Address' };

/** Throws a `TypeError` on anything that is not 32 bytes, in base58 or as they are. */
export function toAddress(value: string | PublicKey | Uint8Array): Address {
  if (value instanceof Uint8Array && value.length !== 32) {
    throw new TypeError(`an address has 32 bytes, not ${value.length}`);
  }
  try {
    return new PublicKey(value).toBase58() as Address;
  } catch {
    throw new TypeError(`not a Solana address: ${JSON.stringify(value)}`);
  }
}

/** The 32 bytes of an address. Throws a `TypeError` on a string that is none. */
export function addressBytes(address: Address): Uint8Array {
  try {
    return new PublicKey(address).toBytes();
  } catch {
    throw new TypeError(`not a Solana address: ${JSON.stringify(address)}`);
  }
}

/** The deployed program's address on local clusters, as in Anchor.toml. Nobody has its key. */
export const LOCAL_PROGRAM = toAddress('TesseraTicket111111111111111111111111111111');

export const SYSTEM_PROGRAM = toAddress('11111111111111111111111111111111');
export const TOKEN_PROGRAM = toAddress('TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA');
export const TOKEN_2022_PROGRAM = toAddress('TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb');
export const ASSOCIATED_TOKEN_PROGRAM = toAddress('ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL');
export const COMPUTE_BUDGET_PROGRAM = toAddress('ComputeBudget111111111111111111111111111111');
export const UPGRADEABLE_LOADER = toAddress('BPFLoaderUpgradeab1e11111111111111111111111');

/** What stands in state for "none": no proposed admin, or SOL as a currency. The same bytes as the system program. */
export const NO_ADDRESS = SYSTEM_PROGRAM;
