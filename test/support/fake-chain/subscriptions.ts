import type { Account } from './account-history.ts';
import type { Block, Landed } from './block.ts';
import { encodeAccount, filterOf } from './rpc/account-methods.ts';
import type { Node } from './rpc/node.ts';
import { addressOf, type Config, commitmentOf, configAt, signatureOf, textAt } from './rpc/params.ts';
import { invalidParams, RpcError } from './rpc/rpc-error.ts';
import type { Commitment } from './view.ts';

/** What somebody wants to be told, and when: of blocks that reach `commitment`. */
export type Subscription = {
  /** As in `slotNotification`. */
  kind: 'slot' | 'root' | 'logs' | 'signature' | 'account' | 'program';
  commitment: Commitment;
  /** What a block that reached the commitment has to tell. */
  tell(block: Block): unknown[];
  /** What there is to tell at once. */
  atOnce?: () => unknown[];
  /** Ends when it was told. */
  once?: boolean;
};

/** The subscription that a call asks for; undefined for a method that is none. */
export function subscriptionOf(node: Node, method: string, params: unknown[]): Subscription | undefined {
  const make = Object.hasOwn(kinds, method) ? kinds[method] : undefined;
  return make?.(node, params);
}

const kinds: { [method: string]: (node: Node, params: unknown[]) => Subscription } = {
  slotSubscribe: (node) => ({
    kind: 'slot',
    commitment: 'processed',
    tell: ({ slot, parentSlot }) => [{ slot, parent: parentSlot, root: node.view.block('finalized').slot }],
  }),
  rootSubscribe: () => ({ kind: 'root', commitment: 'finalized', tell: ({ slot }) => [slot] }),
  logsSubscribe: (_, params) => {
    const concerns = mentionedIn(params[0]);
    const tell = (block: Block) =>
      block.landed.filter(concerns).map((landed) => withSlot(block, logsOf(landed)));
    return { kind: 'logs', commitment: commitmentOf(configAt(params, 1)), tell };
  },
  signatureSubscribe: (node, params) => {
    const signature = orInvalid('signature', () => signatureOf(textAt(params, 0)));
    const commitment = commitmentOf(configAt(params, 1));
    const atOnce = () => {
      const landed = node.ledger.index.find(signature);
      const block = node.view.block(commitment);
      return landed && landed.slot <= block.slot ? [withSlot(block, { err: landed.effect.err })] : [];
    };
    const tell = (block: Block) =>
      block.landed
        .filter(({ transaction }) => transaction.signature === signature)
        .map(({ effect }) => withSlot(block, { err: effect.err }));
    return { kind: 'signature', commitment, tell, atOnce, once: true };
  },
  accountSubscribe: (node, params) => {
    const address = orInvalid('pubkey', () => addressOf(textAt(params, 0)));
    const config = configAt(params, 1);
    const tell = (block: Block) => {
      if (!block.touched.has(address)) return [];
      const account = node.ledger.accountAt(address, block.slot) ?? nobody;
      return [withSlot(block, encodeAccount(account, config))];
    };
    return { kind: 'account', commitment: commitmentOf(config), tell };
  },
  programSubscribe: (node, params) => {
    const program = orInvalid('pubkey', () => addressOf(textAt(params, 0)));
    const config: Config = configAt(params, 1);
    const matches = filterOf(config);
    const tell = (block: Block) =>
      [...block.touched].flatMap((pubkey) => {
        const account = node.ledger.accountAt(pubkey, block.slot);
        if (account?.owner !== program || !matches(account)) return [];
        return [withSlot(block, { pubkey, account: encodeAccount(account, config) })];
      });
    return { kind: 'program', commitment: commitmentOf(config), tell };
  },
};

/** What a closed account looks like to its subscribers. */
const nobody: Account = {
  lamports: 0n,
  owner: '11111111111111111111111111111111',
  data: Buffer.alloc(0),
  executable: false,
};

function withSlot<T>({ slot }: Block, value: T) {
  return { context: { slot }, value };
}

function logsOf({ transaction, effect }: Landed) {
  return { signature: transaction.signature, err: effect.err, logs: effect.logs };
}

function mentionedIn(filter: unknown): (landed: Landed) => boolean {
  if (filter === undefined) throw invalidParams('`params` should have at least 1 argument(s)');
  if (filter === 'all' || filter === 'allWithVotes') return () => true;
  const mentions = (filter as { mentions?: unknown } | null)?.mentions;
  if (!Array.isArray(mentions)) {
    const found = typeof filter === 'string' ? `\`${filter}\`` : 'value';
    throw invalidParams(
      `Invalid params: unknown variant ${found}, expected one of \`all\`, \`allWithVotes\`, \`mentions\`.`,
    );
  }
  if (mentions.length !== 1) throw invalidParams('Invalid Request: Only 1 address supported');
  const address = orInvalid('pubkey', () => addressOf(textAt(mentions, 0)));
  return ({ keys }) => keys.all.includes(address);
}

function orInvalid(what: string, read: () => string): string {
  try {
    return read();
  } catch (error) {
    if (error instanceof RpcError) throw invalidParams(`Invalid Request: Invalid ${what} provided`);
    throw error;
  }
}
