import { PublicKey, SystemProgram, TransactionInstruction } from '@solana/web3.js';
import { attachSignatures, compileMessage } from '../../../programs-client/send.ts';
import type { Actor } from '../program/support/actors.ts';
import type { RawRpc } from './raw-rpc.ts';

export const SOL = 1_000_000_000;

export function pay(from: Actor, to: { address: string }, lamports: number): TransactionInstruction {
  return SystemProgram.transfer({
    fromPubkey: new PublicKey(from.address),
    toPubkey: new PublicKey(to.address),
    lamports,
  });
}

export function memo(text: string): TransactionInstruction {
  const programId = new PublicKey('MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr');
  return new TransactionInstruction({ programId, keys: [], data: Buffer.from(text) });
}

/** A signed transaction in base64; the first signer pays. With `blockhash` it need not ask for one. */
export async function signed(
  rpc: RawRpc,
  instructions: TransactionInstruction[],
  signers: [Actor, ...Actor[]],
  options: { blockhash?: string; version?: 'legacy' | 0 } = {},
): Promise<string> {
  const latest = options.blockhash ?? (await latestBlockhash(rpc));
  const message = compileMessage(instructions, signers[0].address, latest, options.version);
  const signatures = signers.map((one) => [one.address, one.sign(message)] as const);
  return Buffer.from(attachSignatures(message, Object.fromEntries(signatures))).toString('base64');
}

/** Sends it as most clients do, and returns the signature. */
export function send(rpc: RawRpc, transaction: string, options: object = {}): Promise<string> {
  return rpc.ask('sendTransaction', transaction, {
    encoding: 'base64',
    preflightCommitment: 'confirmed',
    ...options,
  });
}

/** Until all of them have reached it. */
export async function reached(
  rpc: RawRpc,
  signatures: string[],
  commitment: 'confirmed' | 'finalized',
): Promise<void> {
  const enough = commitment === 'confirmed' ? ['confirmed', 'finalized'] : ['finalized'];
  await rpc.until(
    `${commitment} of ${signatures.length}`,
    'getSignatureStatuses',
    [signatures],
    ({ value }) =>
      value.every((status: { confirmationStatus: string } | null) =>
        enough.includes(status?.confirmationStatus ?? ''),
      ),
  );
}

/** Gives lamports and waits until they are there. */
export async function airdrop(rpc: RawRpc, to: { address: string }, lamports: number): Promise<string> {
  const signature = await rpc.ask('requestAirdrop', to.address, lamports);
  await reached(rpc, [signature], 'confirmed');
  return signature;
}

export async function latestBlockhash(rpc: RawRpc): Promise<string> {
  return (await rpc.ask('getLatestBlockhash', { commitment: 'confirmed' })).value.blockhash;
}
