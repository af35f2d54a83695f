import {
  type Connection,
  PublicKey,
  TransactionInstruction,
  VersionedMessage,
  VersionedTransaction,
} from '@solana/web3.js';
import type { Address } from './addresses.ts';
import { decodeProgramError } from './program-errors.ts';
import { compileMessage, requiredSigners } from './send.ts';

/**
 * Makes sure, after a deploy, that it is this program that answers at the address: simulates an instruction that does
 * not exist and expects the program's own refusal. A runtime given other bytes can "succeed" at doing nothing.
 * @param payer any account with lamports; nothing is signed, sent or paid
 */
export async function assertProgramAnswers(
  connection: Connection,
  programId: Address,
  payer: Address,
): Promise<void> {
  const nonsense = new TransactionInstruction({
    programId: new PublicKey(programId),
    keys: [],
    data: Buffer.alloc(8),
  });
  const { blockhash } = await connection.getLatestBlockhash();
  const message = compileMessage([nonsense], payer, blockhash);
  const unsigned = requiredSigners(message).map(() => new Uint8Array(64));
  const transaction = new VersionedTransaction(VersionedMessage.deserialize(message), unsigned);
  const { value } = await connection.simulateTransaction(transaction, {
    sigVerify: false,
    replaceRecentBlockhash: true,
  });
  const refusal = decodeProgramError(value.err);
  const ran = (value.logs ?? []).some((line) => line.startsWith(`Program ${programId} consumed`));
  if (refusal?.name !== 'UnknownInstruction' || !ran) {
    const what = JSON.stringify({ err: value.err, logs: value.logs });
    throw new Error(`the ticketing program does not answer at ${programId}: ${what}`);
  }
}
