import { decodeBase58 } from '../base58.ts';
import { MAX_BYTES, MalformedTransaction, parseTransaction, type Transaction } from '../parse-transaction.ts';
import type { Simulation } from '../runtime.ts';
import { describeError } from '../transaction-error.ts';
import { keysOf } from '../transaction-keys.ts';
import { encodeAccount } from './account-methods.ts';
import { encodeInner } from './encode-transaction.ts';
import { blockFor, inContext, type Methods, type Node } from './node.ts';
import { addressOf, type Config, configAt, textAt } from './params.ts';
import { invalidParams, isBehind, RpcError } from './rpc-error.ts';

/** What runs transactions, for real or on trial. A trial is always on the newest state. */
export const sendMethods: Methods = {
  sendTransaction(node, params) {
    const config = configAt(params, 1);
    const transaction = decode(textAt(params, 0), config.encoding);
    const block = blockFor(node, {
      ...config,
      commitment: (config.preflightCommitment ?? 'finalized') as never,
    });
    const checked = config.skipPreflight !== true;
    if (checked) preflight(node, transaction, block.height);
    const retries = typeof config.maxRetries === 'number' ? config.maxRetries : Number.POSITIVE_INFINITY;
    // Without the check, what nobody signed is taken and gets nowhere.
    node.ledger.submit({ transaction, retries, verified: checked });
    return transaction.signature;
  },
  simulateTransaction(node, params) {
    const config = configAt(params, 1);
    const { sigVerify = false, replaceRecentBlockhash = false } = config;
    if (sigVerify && replaceRecentBlockhash) {
      throw invalidParams('sigVerify may not be used with replaceRecentBlockhash');
    }
    const transaction = decode(textAt(params, 0), config.encoding);
    const block = blockFor(node, config);
    const refused = replaceRecentBlockhash ? undefined : refusedBefore(node, transaction, block.height);
    const simulation = simulate(node, transaction, sigVerify === true, refused);
    const lastValidBlockHeight = block.height + node.ledger.rules.blockhashBlocks;
    return inContext(block, {
      ...outcomeOf(simulation, config.innerInstructions === true),
      accounts: accountsOf(node, simulation, config),
      loadedAddresses: keysOf(transaction, (address) => node.ledger.runtime.account(address)).loaded,
      ...balancesOf(node, transaction, simulation),
      replacementBlockhash: replaceRecentBlockhash ? { blockhash: block.hash, lastValidBlockHeight } : null,
    });
  },
};

function preflight(node: Node, transaction: Transaction, height: number): void {
  const { behind } = node.faults();
  if (behind) throw isBehind(behind);
  const refused = refusedBefore(node, transaction, height);
  const simulation = simulate(node, transaction, node.ledger.rules.verifySignatures, refused);
  if (simulation.err === null) return;
  throw new RpcError(-32002, `Transaction simulation failed: ${describeError(simulation.err)}`, {
    ...outcomeOf(simulation, false),
    accounts: null,
    loadedAddresses: null,
    ...{ postBalances: null, postTokenBalances: null, preBalances: null, preTokenBalances: null },
    replacementBlockhash: null,
  });
}

/** What the ledger refuses before anything runs. */
function refusedBefore(
  node: Node,
  { blockhash, signature }: Transaction,
  height: number,
): string | undefined {
  const { ledger } = node;
  const landed = ledger.index.find(signature);
  if (landed !== undefined && node.view.reached(landed.slot) !== undefined) return 'AlreadyProcessed';
  return ledger.ageOf(blockhash, height) === undefined ? 'BlockhashNotFound' : undefined;
}

function simulate(
  node: Node,
  transaction: Transaction,
  verify: boolean,
  refused: string | undefined,
): Simulation {
  if (refused === undefined || verify) {
    const simulation = node.ledger.runtime.simulate(transaction, verify);
    if (simulation.err === 'SignatureFailure') {
      throw new RpcError(-32003, 'Transaction signature verification failure');
    }
    if (refused === undefined) return simulation;
  }
  const nothing = { fee: 0, units: 0, logs: [], inner: [], returnData: undefined, accounts: new Map() };
  return { err: refused, ...nothing };
}

function outcomeOf({ err, fee, units, logs, inner, returnData, accounts }: Simulation, withInner: boolean) {
  return {
    err,
    fee: fee === 0 ? null : fee,
    innerInstructions: withInner ? encodeInner(inner) : null,
    loadedAccountsDataSize: [...accounts.values()].reduce((sum, { data }) => sum + data.length, 0),
    logs,
    returnData: returnData
      ? { data: [returnData.data.toString('base64'), 'base64'], programId: returnData.programId }
      : null,
    unitsConsumed: units,
  };
}

function balancesOf(node: Node, transaction: Transaction, { accounts, err, fee }: Simulation) {
  const { all } = keysOf(transaction, (address) => node.ledger.runtime.account(address));
  const before = all.map((address) => node.ledger.runtime.account(address)?.lamports ?? 0n);
  const paid = (at: number) => (at === 0 && err !== null ? BigInt(fee) : 0n);
  const after = all.map((address, at) => accounts.get(address)?.lamports ?? (before[at] ?? 0n) - paid(at));
  const tokens = { postTokenBalances: [], preTokenBalances: [] };
  return { postBalances: after.map(Number), preBalances: before.map(Number), ...tokens };
}

/** The accounts that the caller asked for, as they would be; null without the wish. */
function accountsOf(node: Node, { accounts, err }: Simulation, config: Config): unknown {
  const wish = config.accounts as { addresses: string[]; encoding?: string } | null | undefined;
  if (!wish) return null;
  const encoding = { encoding: wish.encoding ?? 'base64' };
  return wish.addresses.map(addressOf).map((address) => {
    const account =
      err === null ? (accounts.get(address) ?? node.ledger.runtime.account(address)) : undefined;
    return account === undefined || account.lamports === 0n ? null : encodeAccount(account, encoding);
  });
}

/** base58 by default, as the oldest clients send it. */
function decode(text: string, encoding = 'base58'): Transaction {
  const bytes = encoding === 'base64' ? fromBase64(text) : decodeBase58(text);
  if (bytes === undefined) throw invalidParams('invalid base58 encoding: InvalidCharacter');
  if (bytes.length > MAX_BYTES) {
    const most = encoding === 'base64' ? 1644 : 1683;
    const why = `too large: ${text.length} bytes (max: encoded/raw ${most}/${MAX_BYTES})`;
    throw invalidParams(`${encoding} encoded solana_transaction::versioned::VersionedTransaction ${why}`);
  }
  try {
    return parseTransaction(Buffer.from(bytes));
  } catch (error) {
    if (error instanceof MalformedTransaction) throw invalidParams(error.message);
    throw error;
  }
}

function fromBase64(text: string): Buffer {
  const wrong = text.search(/[^A-Za-z0-9+/=]/);
  if (wrong >= 0) {
    throw invalidParams(`invalid base64 encoding: InvalidByte(${wrong}, ${text.charCodeAt(wrong)})`);
  }
  return Buffer.from(text, 'base64');
}
