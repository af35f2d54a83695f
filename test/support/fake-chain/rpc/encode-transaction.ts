import { encodeBase58 } from '../base58.ts';
import type { InnerInstructions, Landed } from '../block.ts';
import type { Instruction } from '../parse-transaction.ts';
import { isSigner, isWritable } from '../transaction-keys.ts';
import type { Config } from './params.ts';
import { invalidParams, RpcError } from './rpc-error.ts';

/** A transaction as getTransaction tells it. Refuses a version above the one that the caller can read. */
export function encodeTransaction(landed: Landed, config: Config) {
  const { version } = landed.transaction;
  const most = config.maxSupportedTransactionVersion;
  if (version !== 'legacy' && (typeof most !== 'number' || most < version)) throw unreadable(version);
  const { blockTime, slot } = landed;
  const encoding = config.encoding ?? 'json';
  const answer = { blockTime, meta: metaOf(landed, encoding), slot, transaction: bodyOf(landed, encoding) };
  return typeof most === 'number' ? { ...answer, version } : answer;
}

/** The words are Agave's. */
function unreadable(version: number): RpcError {
  return new RpcError(
    -32015,
    `Transaction version (${version}) is not supported by the requesting client. Please try the request again ` +
      `with the following configuration parameter: "maxSupportedTransactionVersion": ${version}`,
  );
}

function bodyOf(landed: Landed, encoding: string): unknown {
  const { bytes, version } = landed.transaction;
  if (encoding === 'json' || encoding === 'jsonParsed') {
    return { message: messageOf(landed, encoding), signatures: landed.transaction.signatures };
  }
  if (version === 1) throw invalidParams('a version 1 transaction is told in json only here');
  if (encoding === 'base64') return [bytes.toString('base64'), 'base64'];
  if (encoding === 'base58') return [encodeBase58(bytes), 'base58'];
  if (encoding === 'binary') return encodeBase58(bytes);
  throw invalidParams(`Invalid params: unknown variant \`${encoding}\`.`);
}

function messageOf({ transaction, keys }: Landed, encoding: string): unknown {
  const { header, version, blockhash: recentBlockhash, lookups } = transaction;
  const looked = version === 0 ? { addressTableLookups: lookups } : {};
  if (encoding === 'jsonParsed') {
    const accountKeys = keys.all.map((pubkey, index) => {
      const own = index < transaction.keys.length;
      const loadedWritable = index < transaction.keys.length + keys.loaded.writable.length;
      const writable = own ? isWritable(transaction, index) : loadedWritable;
      return {
        pubkey,
        signer: isSigner(transaction, index),
        source: own ? 'transaction' : 'lookupTable',
        writable,
      };
    });
    const instructions = transaction.instructions.map((one) => byAddress(one, keys.all, 1));
    return { accountKeys, ...looked, instructions, recentBlockhash };
  }
  const instructions = transaction.instructions.map((one) => byIndex(one, 1));
  const config = version === 1 ? { transactionConfig: noConfig } : {};
  return { accountKeys: transaction.keys, ...looked, ...config, header, instructions, recentBlockhash };
}

const noConfig = {
  computeUnitLimit: null,
  heapSize: null,
  loadedAccountsDataSizeLimit: null,
  priorityFee: null,
};

function metaOf({ effect, keys, transaction }: Landed, encoding: string): unknown {
  const { err, fee, units, logs, inner, returnData } = effect;
  const returned = returnData && {
    returnData: { data: [returnData.data.toString('base64'), 'base64'], programId: returnData.programId },
  };
  const parsed = encoding === 'jsonParsed';
  return {
    computeUnitsConsumed: units,
    costUnits: costOf(units, transaction.signatures.length, keys.writable.length),
    err,
    fee,
    innerInstructions: encodeInner(inner, parsed ? keys.all : undefined),
    ...(parsed ? {} : { loadedAddresses: keys.loaded }),
    logMessages: logs,
    postBalances: effect.postBalances.map(Number),
    postTokenBalances: effect.postTokenBalances,
    preBalances: effect.preBalances.map(Number),
    preTokenBalances: effect.preTokenBalances,
    ...returned,
    rewards: [],
    status: err ? { Err: err } : { Ok: null },
  };
}

/** With the addresses of a transaction, what jsonParsed tells of a program that the node does not know. */
export function encodeInner(inner: InnerInstructions[], addresses?: string[]): unknown[] {
  return inner.map(({ index, instructions }) => ({
    index,
    instructions: instructions.map((one) =>
      addresses ? byAddress(one, addresses, one.stackHeight) : byIndex(one, one.stackHeight),
    ),
  }));
}

function byIndex({ accounts, data, programIdIndex }: Instruction, stackHeight: number) {
  return { accounts, data: encodeBase58(data), programIdIndex, stackHeight };
}

function byAddress({ accounts, data, programIdIndex }: Instruction, all: string[], stackHeight: number) {
  return {
    accounts: accounts.map((index) => all[index]),
    data: encodeBase58(data),
    programId: all[programIdIndex],
    stackHeight,
  };
}

/** About what Agave reckons: 720 a signature, 300 a write lock, and the units. */
function costOf(units: number, signatures: number, writable: number): number {
  return units + 720 * signatures + 300 * writable;
}
