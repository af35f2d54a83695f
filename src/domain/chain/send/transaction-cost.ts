import { accountSizes } from '../../../../programs-client/accounts.ts';
import type { MintTicketInput } from '../../../../programs-client/instructions/mint-ticket.ts';
import type { Rpc } from '../rpc/rpc.ts';

/** What the network asks for a signature. */
const SIGNATURE_LAMPORTS = 5_000n;
const MICRO = 1_000_000n;
/** The runtime counts so much beside the bytes of an account. */
const ACCOUNT_OVERHEAD = 128;
const RENT_SYSVAR = 'SysvarRent111111111111111111111111111111111';

/** A mint with its extensions, before its metadata is written; see BARE_MINT in `mint.rs`. */
const BARE_MINT = 306;

/** What a chain asks now. Rent is falling by changes of the protocol, so it is asked for and never written down. */
export type Prices = {
  /** In lamports, to keep a byte for good. */
  perByte: bigint;
  /** In micro-lamports for a unit of compute. */
  unitPrice: number;
};

export type Resources = {
  /** Bytes of each account that is made: `mintAccounts`, or `accountSizes` of the program's client. */
  accounts: readonly number[];
  signatures: number;
  /** The limit of compute that is asked for: its price is paid whether it is used or not. */
  units: number;
};

/** What a transaction costs its payer at most, in lamports. */
export function costOf({ accounts, signatures, units }: Resources, { perByte, unitPrice }: Prices): bigint {
  const bytes = accounts.reduce((sum, space) => sum + space + ACCOUNT_OVERHEAD, 0);
  const priority = (BigInt(units) * BigInt(unitPrice) + MICRO - 1n) / MICRO;
  return BigInt(bytes) * perByte + BigInt(signatures) * SIGNATURE_LAMPORTS + priority;
}

/** The accounts of a mint: the ticket, its NFT with the texts in it, the holder's token account. */
export function mintAccounts(
  texts: Pick<MintTicketInput, 'name' | 'symbol' | 'uri' | 'attributes'>,
): number[] {
  const strings = [texts.name, texts.symbol, texts.uri].reduce((sum, text) => sum + 4 + length(text), 0);
  // Type and length, editor, mint, the strings, the number of attributes.
  let metadata = 4 + 32 + 32 + strings + 4;
  for (const [key, value] of Object.entries(texts.attributes)) {
    if (value) metadata += 4 + length(key) + 4 + length(value);
  }
  return [accountSizes.ticket, BARE_MINT + metadata, accountSizes.token];
}

/** The rent that the chain asks for a byte. @throws DomainError unavailable */
export async function readRent(rpc: Rpc): Promise<bigint> {
  const { value } = await rpc.ask((node) => node.getAccounts([RENT_SYSVAR], { commitment: 'confirmed' }));
  const data = Buffer.from(value[0]?.data ?? []);
  if (data.length < 16) throw new Error('the chain has no account that says what rent is');
  const threshold = data.readDoubleLE(8);
  return BigInt(Math.ceil(Number(data.readBigUInt64LE(0)) * threshold));
}

function length(text: string): number {
  return Buffer.byteLength(text);
}
