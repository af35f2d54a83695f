import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TransactionInstruction } from '@solana/web3.js';
import { FailedTransactionMetadata, FeatureSet, LiteSVM, type TransactionMetadata } from 'litesvm';
import {
  type Address,
  addressBytes,
  LOCAL_PROGRAM,
  toAddress,
} from '../../../../programs-client/addresses.ts';
import type { TransactionLike } from '../../../../programs-client/flatten-transaction.ts';
import { programDataAddress } from '../../../../programs-client/pdas.ts';
import { compileMessage, requiredSigners } from '../../../../programs-client/send.ts';
import type { Actor } from './actors.ts';
import { rpcTransaction } from './rpc-transaction.ts';

export const PROGRAM = LOCAL_PROGRAM;
export const PROGRAM_FILE = join(import.meta.dirname, '../../../../programs/ticketing/ticketing.so');
export const SOL = 1_000_000_000n;

/** What a transaction did. */
export type Sent = {
  /** Undefined if it succeeded. */
  error: string | undefined;
  units: number;
  logs: string[];
  bytes: number;
  signatures: number;
  /** What an RPC would answer to getTransaction, in its JSON form. */
  transaction: TransactionLike;
};

export type AccountData = { lamports: bigint; owner: string; data: Uint8Array };

export type ChainOptions = {
  /** The upgradeable one by default. */
  loader?: string;
  /** Features of the runtime, by address; all that there are by default. */
  features?: string[];
};

/** An empty chain with the committed program. */
export function newChain({ loader, features }: ChainOptions = {}): LiteSVM {
  const svm = features === undefined ? new LiteSVM() : chainOf(features);
  const program = readFileSync(PROGRAM_FILE);
  if (loader === undefined) svm.addProgram(PROGRAM as never, program);
  else svm.addProgramWithLoader(PROGRAM as never, program, loader as never);
  return svm;
}

/** As LiteSVM's own constructor does it, but for the features. */
function chainOf(features: string[]): LiteSVM {
  const set = new FeatureSet();
  for (const feature of features) set.activate(addressBytes(toAddress(feature)), 0n);
  return LiteSVM.default()
    .withFeatureSet(set)
    .withBuiltins()
    .withLamports(1_000_000n * SOL)
    .withSysvars()
    .withPrecompiles()
    .withDefaultPrograms()
    .withSigverify(true)
    .withBlockhashCheck(true)
    .withTransactionHistory(32n);
}

/** Sends a transaction that the first signer pays for. Never throws for a transaction that fails. */
export function send(svm: LiteSVM, instructions: TransactionInstruction[], signers: Actor[]): Sent {
  svm.expireBlockhash();
  const payer = signers[0] ?? missing('a signer');
  return sendMessage(svm, compileMessage(instructions, payer.address, svm.latestBlockhash()), signers);
}

/** The same with a message that was made elsewhere, of the chain's latest blockhash. */
export function sendMessage(svm: LiteSVM, message: Uint8Array, signers: Actor[]): Sent {
  const required = requiredSigners(message);
  const signatures = required.map((address) => {
    const signer = signers.find((one) => one.address === address) ?? missing(`the signature of ${address}`);
    return [address, signer.sign(message)] as const;
  });
  const outcome = svm.sendTransaction({
    messageBytes: message,
    signatures: Object.fromEntries(signatures),
  } as never);
  return sent(outcome, message, required.length);
}

function sent(
  outcome: TransactionMetadata | FailedTransactionMetadata,
  message: Uint8Array,
  signatures: number,
): Sent {
  const failed = outcome instanceof FailedTransactionMetadata;
  const meta = failed ? outcome.meta() : outcome;
  return {
    transaction: rpcTransaction(message, meta, failed),
    error: failed ? outcome.err().toString() : undefined,
    units: Number(meta.computeUnitsConsumed()),
    logs: meta.logs(),
    bytes: message.length + 1 + 64 * signatures,
    signatures,
  };
}

export function account(svm: LiteSVM, address: Address): AccountData | undefined {
  const found = svm.getAccount(address as never);
  if (!found.exists) return undefined;
  return { lamports: found.lamports, owner: found.programAddress, data: Uint8Array.from(found.data) };
}

/** Puts an account on the chain as it is, also where no transaction could. */
export function putAccount(svm: LiteSVM, address: Address, { lamports, owner, data }: AccountData): void {
  const space = BigInt(data.length);
  svm.setAccount({ address, lamports, programAddress: owner, data, space, executable: false } as never);
}

/** Writes a program's upgrade authority where the loader keeps it; none with undefined. */
export function setUpgradeAuthority(svm: LiteSVM, authority: Address | undefined, program = PROGRAM): void {
  const address = programDataAddress(program);
  const found = account(svm, address) ?? missing('the program data');
  found.data[12] = authority === undefined ? 0 : 1;
  found.data.set(authority === undefined ? new Uint8Array(32) : addressBytes(authority), 13);
  putAccount(svm, address, found);
}

function missing(what: string): never {
  throw new Error(`the test lacks ${what}`);
}
