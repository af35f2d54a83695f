import { PublicKey, TransactionInstruction } from '@solana/web3.js';
import { type Address, ASSOCIATED_TOKEN_PROGRAM, SYSTEM_PROGRAM, TOKEN_PROGRAM } from './addresses.ts';
import { associatedTokenAddress } from './pdas.ts';

export type CreateAssociatedTokenInput = {
  /** Pays the rent of 165 bytes. Signs. */
  payer: Address;
  owner: Address;
  mint: Address;
  /** The one that owns the mint; the classic one by default. */
  tokenProgram?: Address | undefined;
};

/** Creates an owner's associated token account, which `resell` in a currency needs, unless it is there already. */
export function createAssociatedToken(input: CreateAssociatedTokenInput): TransactionInstruction {
  const { payer, owner, mint, tokenProgram = TOKEN_PROGRAM } = input;
  const key = (address: Address, isSigner = false, isWritable = false) => ({
    pubkey: new PublicKey(address),
    isSigner,
    isWritable,
  });
  return new TransactionInstruction({
    programId: new PublicKey(ASSOCIATED_TOKEN_PROGRAM),
    keys: [
      key(payer, true, true),
      key(associatedTokenAddress(mint, owner, tokenProgram), false, true),
      key(owner),
      key(mint),
      key(SYSTEM_PROGRAM),
      key(tokenProgram),
    ],
    // CreateIdempotent.
    data: Buffer.from([1]),
  });
}
