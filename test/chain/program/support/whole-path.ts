/** A ticket's life over JSON-RPC alone, the same on every kind of cluster. */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Connection,
  LAMPORTS_PER_SOL,
  PublicKey,
  type TransactionInstruction,
  type VersionedTransactionResponse,
} from '@solana/web3.js';
import { decodeEntries } from '../../../../programs-client/decode-entries.ts';
import type { Entry } from '../../../../programs-client/entries.ts';
import type { TransactionLike } from '../../../../programs-client/flatten-transaction.ts';
import { attachSignatures, compileMessage } from '../../../../programs-client/send.ts';
import type { Actor } from './actors.ts';
import { PROGRAM } from './chain.ts';

export type Landed = { signature: string; transaction: VersionedTransactionResponse; entries: Entry[] };

/** Signs, sends and waits until it is confirmed. Throws as web3.js does if it cannot be sent. */
export async function land(
  connection: Connection,
  instructions: TransactionInstruction[],
  signers: Actor[],
): Promise<Landed> {
  const [payer] = signers;
  if (payer === undefined) throw new Error('somebody has to pay');
  const { blockhash } = await connection.getLatestBlockhash();
  const message = compileMessage(instructions, payer.address, blockhash);
  const signatures = Object.fromEntries(signers.map((one) => [one.address, one.sign(message)]));
  const signature = await connection.sendRawTransaction(attachSignatures(message, signatures));
  const transaction = await confirmed(connection, signature);
  return { signature, transaction, entries: decodeEntries(PROGRAM, transaction) };
}

async function confirmed(connection: Connection, signature: string): Promise<VersionedTransactionResponse> {
  const options = { commitment: 'confirmed', maxSupportedTransactionVersion: 0 } as const;
  for (let attempt = 0; attempt < 300; attempt++) {
    const transaction = await connection.getTransaction(signature, options);
    if (transaction !== null) return transaction;
    await sleep(30);
  }
  throw new Error(`${signature} was not confirmed`);
}

/** getTransaction as the RPC itself answers, in an encoding that web3.js does not show. */
export async function rawTransaction(
  connection: Connection,
  signature: string,
  encoding: 'json' | 'jsonParsed',
): Promise<TransactionLike> {
  const options = { encoding, commitment: 'confirmed', maxSupportedTransactionVersion: 0 };
  const response = await fetch(connection.rpcEndpoint, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'getTransaction', params: [signature, options] }),
  });
  return ((await response.json()) as { result: TransactionLike }).result;
}

/** Gives everybody lamports and waits until they have them. */
export async function fund(connection: Connection, actors: Actor[]): Promise<void> {
  const keys = actors.map(({ address }) => new PublicKey(address));
  for (const key of keys) await connection.requestAirdrop(key, 100 * LAMPORTS_PER_SOL);
  for (let attempt = 0; attempt < 300; attempt++) {
    const infos = await connection.getMultipleAccountsInfo(keys);
    if (infos.every((info) => info !== null)) return;
    await sleep(30);
  }
  throw new Error('the airdrops did not arrive');
}
