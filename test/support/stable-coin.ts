import { type Connection, PublicKey, SystemProgram, TransactionInstruction } from '@solana/web3.js';
import { type Address, TOKEN_PROGRAM } from '../../programs-client/addresses.ts';
import { createAssociatedToken } from '../../programs-client/create-associated-token.ts';
import { associatedTokenAddress } from '../../programs-client/pdas.ts';
import { land, type Signatory } from '../chain/program/support/whole-path.ts';

const MINT_BYTES = 82;
const PROGRAM = new PublicKey(TOKEN_PROGRAM);

/** Makes a coin of the classic token program on any chain; `maker` pays, and may mint as much of it as it likes. */
export async function createCoin(
  connection: Connection,
  maker: Signatory,
  mint: Signatory,
  decimals: number,
): Promise<void> {
  const lamports = await connection.getMinimumBalanceForRentExemption(MINT_BYTES);
  const account = SystemProgram.createAccount({
    fromPubkey: new PublicKey(maker.address),
    newAccountPubkey: new PublicKey(mint.address),
    lamports,
    space: MINT_BYTES,
    programId: PROGRAM,
  });
  // InitializeMint2, without a freeze authority.
  const data = Buffer.concat([
    Uint8Array.of(20, decimals),
    new PublicKey(maker.address).toBytes(),
    Uint8Array.of(0),
  ]);
  const keys = [{ pubkey: new PublicKey(mint.address), isSigner: false, isWritable: true }];
  const initialize = new TransactionInstruction({ programId: PROGRAM, keys, data });
  await land(connection, [account, initialize], [maker, mint]);
}

/** Gives `owner` an account for the coin and so much of it. */
export async function giveCoin(
  connection: Connection,
  maker: Signatory,
  to: { mint: Address; owner: Address; amount: bigint },
): Promise<void> {
  const { mint, owner, amount } = to;
  const purse = associatedTokenAddress(mint, owner, TOKEN_PROGRAM);
  const data = Buffer.alloc(9);
  data[0] = 7;
  data.writeBigUInt64LE(amount, 1);
  const key = (address: Address, isSigner: boolean, isWritable: boolean) => ({
    pubkey: new PublicKey(address),
    isSigner,
    isWritable,
  });
  const keys = [key(mint, false, true), key(purse, false, true), key(maker.address, true, false)];
  const mintTo = new TransactionInstruction({ programId: PROGRAM, keys, data });
  await land(connection, [createAssociatedToken({ payer: maker.address, owner, mint }), mintTo], [maker]);
}

/** How much of the coin `owner` has. */
export async function coinOf(connection: Connection, mint: Address, owner: Address): Promise<bigint> {
  const purse = new PublicKey(associatedTokenAddress(mint, owner, TOKEN_PROGRAM));
  return BigInt((await connection.getTokenAccountBalance(purse, 'confirmed')).value.amount);
}
