import type { Account } from '../account-history.ts';
import { decodeBase58, encodeBase58 } from '../base58.ts';
import { DECIMALS_AT, isMint, SUPPLY_AT, uiAmountOf } from '../token-balances.ts';
import { blockFor, inContext, type Methods, type Node } from './node.ts';
import { addressOf, type Config, configAt, numberAt, textAt, textsAt } from './params.ts';
import { invalidParams, RpcError } from './rpc-error.ts';

/** What is asked of accounts, all of it as of one slot. */
export const accountMethods: Methods = {
  getBalance(node, params) {
    const address = addressOf(textAt(params, 0));
    const block = blockFor(node, configAt(params, 1));
    return inContext(block, Number(visible(node, address, block.slot)?.lamports ?? 0n));
  },
  getAccountInfo(node, params) {
    const address = addressOf(textAt(params, 0));
    const config = configAt(params, 1);
    const block = blockFor(node, config);
    return inContext(block, encodeOrNull(visible(node, address, block.slot), config));
  },
  getMultipleAccounts(node, params) {
    const addresses = textsAt(params, 0, 100).map(addressOf);
    const config = configAt(params, 1);
    const block = blockFor(node, config);
    const values = addresses.map((address) => encodeOrNull(visible(node, address, block.slot), config));
    return inContext(block, values);
  },
  getProgramAccounts(node, params) {
    const program = addressOf(textAt(params, 0));
    const config = configAt(params, 1);
    const matches = filterOf(config);
    const block = blockFor(node, config);
    const found = node.ledger.accounts
      .ownedBy(program, block.slot)
      .filter(([address, account]) => matches(account) && !isDenied(node, address))
      .map(([pubkey, account]) => ({ account: encodeAccount(account, config), pubkey }));
    return config.withContext === true ? inContext(block, found) : found;
  },
  getTokenSupply(node, params) {
    const address = addressOf(textAt(params, 0));
    const block = blockFor(node, configAt(params, 1));
    return inContext(block, supplyOf(visible(node, address, block.slot)));
  },
  getMinimumBalanceForRentExemption: (node, params) =>
    Number(node.ledger.runtime.rentFor(numberAt(params, 0))),
  requestAirdrop(node, params) {
    const to = addressOf(textAt(params, 0));
    return node.airdrop(to, BigInt(numberAt(params, 1)));
  },
};

function supplyOf(mint: Account | undefined) {
  if (mint === undefined) throw invalidParams('Invalid param: could not find account');
  if (!isMint(mint)) throw invalidParams('Invalid param: not a Token mint');
  return uiAmountOf(mint.data.readBigUInt64LE(SUPPLY_AT), mint.data[DECIMALS_AT] ?? 0);
}

/** What a program's accounts are chosen by; at most four filters, which must all match. */
export function filterOf(config: Config): (account: Account) => boolean {
  const filters = (config.filters ?? []) as Filter[];
  if (filters.length > 4) throw invalidParams('Too many filters provided; max 4');
  const tests = filters.map(testOf);
  return (account) => tests.every((test) => test(account.data));
}

type Filter = { dataSize?: number; memcmp?: { offset: number; bytes: string; encoding?: string } };

function testOf({ dataSize, memcmp }: Filter): (data: Buffer) => boolean {
  if (dataSize !== undefined) return (data) => data.length === dataSize;
  if (memcmp === undefined) throw invalidParams('Invalid params: unknown filter.');
  const { offset, bytes, encoding } = memcmp;
  const wanted = encoding === 'base64' ? Buffer.from(bytes, 'base64') : decodeBase58(bytes);
  if (wanted === undefined) throw invalidParams('Invalid param: Invalid');
  return (data) => data.subarray(offset, offset + wanted.length).equals(wanted);
}

function encodeOrNull(account: Account | undefined, config: Config): unknown {
  return account === undefined ? null : encodeAccount(account, config);
}

/** jsonParsed is answered in base64, as a node does for every program that it does not know. */
export function encodeAccount(account: Account, { encoding, dataSlice }: Config) {
  const { data, executable, lamports, owner } = account;
  const part = dataSlice ? data.subarray(dataSlice.offset, dataSlice.offset + dataSlice.length) : data;
  // web3.js reads the largest u64 as this number too.
  const rest = { executable, lamports: Number(lamports), owner, rentEpoch: 2 ** 64, space: data.length };
  if (encoding === 'base64' || encoding === 'jsonParsed') {
    return { data: [part.toString('base64'), 'base64'], ...rest };
  }
  if (encoding !== undefined && encoding !== 'base58' && encoding !== 'binary') {
    throw invalidParams(`Invalid params: unknown variant \`${encoding}\`.`);
  }
  if (part.length > 128) {
    const why = 'Encoded binary (base 58) data should be less than 128 bytes, please use Base64 encoding.';
    throw new RpcError(-32600, why);
  }
  const text = encodeBase58(part);
  return { data: encoding === 'base58' ? [text, 'base58'] : text, ...rest };
}

/** The account as this node tells it; a lying one may deny it. */
function visible(node: Node, address: string, slot: number): Account | undefined {
  const account = node.ledger.accountAt(address, slot);
  if (account === undefined || isDenied(node, address)) return undefined;
  const { lies } = node.faults();
  if (!lies?.deniesConfirmed) return account;
  return node.ledger.accountAt(address, Math.min(slot, node.view.block('finalized').slot));
}

function isDenied(node: Node, address: string): boolean {
  return node.dice.happens('noAccount', `${node.name} ${address}`, node.faults().lies?.noAccount);
}
