/** A ticket's life over JSON-RPC alone, the same on every kind of cluster. */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  AddressLookupTableProgram,
  type Connection,
  LAMPORTS_PER_SOL,
  PublicKey,
  type TransactionInstruction,
  TransactionMessage,
  type VersionedTransactionResponse,
} from '@solana/web3.js';
import type { Address } from '../../../../programs-client/addresses.ts';
import { decodeEntries } from '../../../../programs-client/decode-entries.ts';
import type { Entry } from '../../../../programs-client/entries.ts';
import type { TransactionLike } from '../../../../programs-client/flatten-transaction.ts';
import type { Base64Transaction } from '../../../../programs-client/read-base64-transaction.ts';
import { attachSignatures, compileMessage } from '../../../../programs-client/send.ts';
import type { Actor } from './actors.ts';
import { PROGRAM } from './chain.ts';

/** Somebody who signs, here or elsewhere. */
export type Signatory = {
  address: Address;
  sign(message: Uint8Array): Uint8Array | Promise<Uint8Array>;
};

export type Landed = { signature: string; transaction: VersionedTransactionResponse; entries: Entry[] };

/** Signs, sends and waits until it is confirmed. Throws as web3.js does if it cannot be sent. */
export async function land(
  connection: Connection,
  instructions: TransactionInstruction[],
  signers: Signatory[],
): Promise<Landed> {
  const [payer] = signers;
  if (payer === undefined) throw new Error('somebody has to pay');
  const { blockhash } = await connection.getLatestBlockhash();
  const message = compileMessage(instructions, payer.address, blockhash);
  const signed = signers.map(async (one) => [one.address, await one.sign(message)] as const);
  const signatures = Object.fromEntries(await Promise.all(signed));
  const signature = await connection.sendRawTransaction(attachSignatures(message, signatures));
  const transaction = await confirmed(connection, signature);
  return { signature, transaction, entries: decodeEntries(PROGRAM, transaction) };
}

/** The same as a message of version 0 that names what does not sign by a lookup table, which is made for it. */
export async function landWithTable(
  connection: Connection,
  instruction: TransactionInstruction,
  signers: [Actor, ...Actor[]],
): Promise<Landed> {
  const payer = new PublicKey(signers[0].address);
  // Nothing is final on a validator that has just begun.
  const recentSlot = (await connection.getSlot('confirmed')) - 1;
  const [create, table] = AddressLookupTableProgram.createLookupTable({
    authority: payer,
    payer,
    recentSlot,
  });
  const addresses = instruction.keys.filter(({ isSigner }) => !isSigner).map(({ pubkey }) => pubkey);
  const extended = { lookupTable: table, authority: payer, payer, addresses };
  const made = await land(
    connection,
    [create, AddressLookupTableProgram.extendLookupTable(extended)],
    [signers[0]],
  );
  // A table can be used from the slot after its change on, and Agave looks for it in what is final.
  while ((await connection.getSlot('finalized')) <= made.transaction.slot + 1) await sleep(30);
  const { value } = await connection.getAddressLookupTable(table);
  const { blockhash } = await connection.getLatestBlockhash();
  const plan = { payerKey: payer, recentBlockhash: blockhash, instructions: [instruction] };
  const message = new TransactionMessage(plan).compileToV0Message(value === null ? [] : [value]).serialize();
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
  return (await askFor(connection, signature, encoding)) as TransactionLike;
}

/** The same with the bytes that were signed in place of a message. */
export async function base64Transaction(
  connection: Connection,
  signature: string,
): Promise<Base64Transaction> {
  return (await askFor(connection, signature, 'base64')) as Base64Transaction;
}

async function askFor(connection: Connection, signature: string, encoding: string): Promise<unknown> {
  const options = { encoding, commitment: 'confirmed', maxSupportedTransactionVersion: 0 };
  const response = await fetch(connection.rpcEndpoint, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'getTransaction', params: [signature, options] }),
  });
  return ((await response.json()) as { result: unknown }).result;
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
