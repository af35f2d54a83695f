import { type JsonRpc, type Outcome, openJsonRpc, type Question } from './json-rpc.ts';
import type { RpcRefusal } from './rpc-error.ts';

export type Commitment = 'processed' | 'confirmed' | 'finalized';

/** An answer with the slot as of which the node gave it. */
export type AsOf<T> = { slot: number; value: T };

export type Account = { owner: string; lamports: number; data: Uint8Array };
export type Status = {
  slot: number;
  /** Null once rooted. */
  confirmations: number | null;
  err: unknown;
  confirmationStatus: Commitment | null;
};
export type ListedSignature = { signature: string; slot: number; err: unknown; blockTime: number | null };
/** A transaction as a node shows it: the wire bytes in base64 and what came of them. */
export type ShownTransaction = {
  slot: number;
  blockTime: number | null;
  version?: 'legacy' | number;
  transaction: [string, 'base64'];
  meta: {
    err: unknown;
    logMessages?: string[] | null;
    innerInstructions?:
      | {
          index: number;
          instructions: { programIdIndex: number; accounts: number[]; data: string }[];
        }[]
      | null;
    loadedAddresses?: { writable: string[]; readonly: string[] } | null;
  } | null;
};
/** What simulating said: the units it took, or why it failed. */
export type Simulation = { err: unknown; unitsConsumed: number | undefined; logs: string[] };
export type Filter = { memcmp: { offset: number; bytes: string } } | { dataSize: number };

/** One RPC node. Whatever takes a list may be given any number; whatever has `minSlot` is refused by a node behind it. */
export type Node = {
  /** For people: the host, nothing secret. */
  readonly name: string;
  getGenesisHash(): Promise<string>;
  getSlot(commitment: Commitment): Promise<number>;
  /** A block height, and a slot of the same moment or a little later. */
  getHeight(commitment: Commitment): Promise<{ slot: number; height: number }>;
  getLatestBlockhash(): Promise<AsOf<{ blockhash: string; lastValidBlockHeight: number }>>;
  getAccounts(
    addresses: readonly string[],
    options: { commitment: Commitment; minSlot?: number | undefined },
  ): Promise<AsOf<(Account | null)[]>>;
  /** Searches the whole history. */
  getStatuses(signatures: readonly string[]): Promise<AsOf<(Status | null)[]>>;
  /** The newest first. */
  getSignatures(
    address: string,
    options: { limit: number; before?: string | undefined; minSlot?: number | undefined },
  ): Promise<ListedSignature[]>;
  /** Confirmed ones; null for what it does not know (yet), a refusal for what it cannot show. */
  getTransactions(signatures: readonly string[]): Promise<(ShownTransaction | RpcRefusal | null)[]>;
  getProgramAccounts(
    programId: string,
    options: { filters: Filter[]; slice?: { offset: number; length: number }; minSlot?: number | undefined },
  ): Promise<AsOf<{ address: string; account: Account }[]>>;
  /** Sends without asking for a simulation or a repetition. Undefined for what was taken. */
  sendTransactions(transactions: readonly Uint8Array[]): Promise<(RpcRefusal | undefined)[]>;
  simulate(transaction: Uint8Array): Promise<Simulation>;
  /** In lamports. */
  getBalances(addresses: readonly string[]): Promise<AsOf<number[]>>;
  /** What was paid lately for a unit of compute with these accounts write-locked, in micro-lamports, one per slot. */
  getPriorityFees(addresses: readonly string[]): Promise<number[]>;
  close(): Promise<void>;
};

/** What one request may ask for. */
const ACCOUNTS_AT_ONCE = 100;
const STATUSES_AT_ONCE = 256;

type Context<T> = { context: { slot: number }; value: T };
type WireAccount = { owner: string; lamports: number; data: [string, 'base64'] };

/** Opens no connection yet. */
export function openNode(url: string): Node {
  const parsed = new URL(url);
  const name = parsed.host;
  const rpc: JsonRpc = openJsonRpc(parsed, name);
  const ask = <T>(method: string, ...params: unknown[]): Promise<T> => rpc.ask<T>({ method, params });

  /** As of the oldest of its parts. */
  async function inParts<Item, T>(
    items: readonly Item[],
    size: number,
    question: (part: Item[]) => Question,
  ): Promise<AsOf<T[]>> {
    if (items.length === 0) return { slot: 0, value: [] };
    const questions: Question[] = [];
    for (let at = 0; at < items.length; at += size) questions.push(question(items.slice(at, at + size)));
    const answers = (await rpc.askAll<Context<T[]>>(questions)).map(orThrow);
    return {
      slot: Math.min(...answers.map(({ context }) => context.slot)),
      value: answers.flatMap(({ value }) => value),
    };
  }

  return {
    name,
    getGenesisHash: () => ask('getGenesisHash'),
    getSlot: (commitment) => ask('getSlot', { commitment }),
    async getHeight(commitment) {
      const height = await ask<number>('getBlockHeight', { commitment });
      return { height, slot: await ask<number>('getSlot', { commitment }) };
    },
    async getLatestBlockhash() {
      const { context, value } = await ask<Context<{ blockhash: string; lastValidBlockHeight: number }>>(
        'getLatestBlockhash',
        { commitment: 'confirmed' },
      );
      return { slot: context.slot, value };
    },
    async getAccounts(addresses, { commitment, minSlot }) {
      const options = { commitment, encoding: 'base64', ...atLeast(minSlot) };
      const { slot, value } = await inParts<string, WireAccount | null>(
        addresses,
        ACCOUNTS_AT_ONCE,
        (part) => ({
          method: 'getMultipleAccounts',
          params: [part, options],
        }),
      );
      return { slot, value: value.map((account) => account && toAccount(account)) };
    },
    getStatuses: (signatures) =>
      inParts<string, Status | null>(signatures, STATUSES_AT_ONCE, (part) => ({
        method: 'getSignatureStatuses',
        params: [part, { searchTransactionHistory: true }],
      })),
    getSignatures: (address, { limit, before, minSlot }) =>
      ask('getSignaturesForAddress', address, {
        commitment: 'confirmed',
        limit,
        ...(before ? { before } : {}),
        ...atLeast(minSlot),
      }),
    async getTransactions(signatures) {
      const options = { commitment: 'confirmed', encoding: 'base64', maxSupportedTransactionVersion: 1 };
      const outcomes = await rpc.askAll<ShownTransaction | null>(
        signatures.map((signature) => ({ method: 'getTransaction', params: [signature, options] })),
      );
      return outcomes.map((outcome) => ('refused' in outcome ? outcome.refused : outcome.result));
    },
    async getProgramAccounts(programId, { filters, slice, minSlot }) {
      const { context, value } = await ask<Context<{ pubkey: string; account: WireAccount }[]>>(
        'getProgramAccounts',
        programId,
        {
          commitment: 'finalized',
          encoding: 'base64',
          withContext: true,
          filters,
          ...(slice ? { dataSlice: slice } : {}),
          ...atLeast(minSlot),
        },
      );
      const found = value.map(({ pubkey, account }) => ({ address: pubkey, account: toAccount(account) }));
      return { slot: context.slot, value: found };
    },
    async sendTransactions(transactions) {
      const options = { encoding: 'base64', skipPreflight: true, maxRetries: 0 };
      const outcomes = await rpc.askAll<string>(
        transactions.map((raw) => ({
          method: 'sendTransaction',
          params: [Buffer.from(raw).toString('base64'), options],
        })),
      );
      return outcomes.map((outcome) =>
        'refused' in outcome && !hasLanded(outcome.refused) ? outcome.refused : undefined,
      );
    },
    async simulate(transaction) {
      const { value } = await ask<Context<{ err: unknown; unitsConsumed?: number; logs?: string[] | null }>>(
        'simulateTransaction',
        Buffer.from(transaction).toString('base64'),
        { commitment: 'confirmed', encoding: 'base64', sigVerify: false, replaceRecentBlockhash: true },
      );
      return { err: value.err, unitsConsumed: value.unitsConsumed, logs: value.logs ?? [] };
    },
    async getBalances(addresses) {
      const { slot, value } = await this.getAccounts(addresses, { commitment: 'confirmed' });
      return { slot, value: value.map((account) => account?.lamports ?? 0) };
    },
    async getPriorityFees(addresses) {
      const fees = await ask<{ prioritizationFee: number }[]>('getRecentPrioritizationFees', addresses);
      return fees.map(({ prioritizationFee }) => prioritizationFee);
    },
    close: () => rpc.close(),
  };
}

function atLeast(minSlot: number | undefined): { minContextSlot?: number } {
  return minSlot === undefined ? {} : { minContextSlot: minSlot };
}

function toAccount({ owner, lamports, data }: WireAccount): Account {
  return { owner, lamports, data: Buffer.from(data[0], 'base64') };
}

function orThrow<T>(outcome: Outcome<T>): T {
  if ('refused' in outcome) throw outcome.refused;
  return outcome.result;
}

/** Bytes that landed before are an error to some nodes, and good news to us. */
function hasLanded(refusal: RpcRefusal): boolean {
  return /already been processed|AlreadyProcessed/i.test(refusal.message);
}
