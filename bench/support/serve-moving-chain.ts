import { setTimeout as delay } from 'node:timers/promises';
import { ComputeBudgetProgram, type TransactionInstruction } from '@solana/web3.js';
import { type Address, toAddress } from '../../programs-client/addresses.ts';
import { createEvent } from '../../programs-client/instructions/create-event.ts';
import { initConfig } from '../../programs-client/instructions/init-config.ts';
import { mintTicket } from '../../programs-client/instructions/mint-ticket.ts';
import { registerOrganizer } from '../../programs-client/instructions/register-organizer.ts';
import { transferTicket } from '../../programs-client/instructions/transfer-ticket.ts';
import { eventAddress, organizerAddress, ticketAddress } from '../../programs-client/pdas.ts';
import { attachSignatures, compileMessage } from '../../programs-client/send.ts';
import { openNode } from '../../src/domain/chain/rpc/node.ts';
import { uuidBytes } from '../../src/platform/ids.ts';
import { type Actor, actor } from '../../test/chain/program/support/actors.ts';
import { startFakeChain } from '../../test/support/fake-chain/start-fake-chain.ts';
import type { Ask, Moved, Opened, Truth } from './moving-chain.ts';

/**
 * A chain as a process of its own, on which tickets change hands as fast as it runs transactions: without end while
 * whoever follows it keeps up, or so many. Its nodes drop notifications by a fixed seed.
 */
process.once('disconnect', () => process.exit(0));

const SLOT_MS = 100;
const CHUNK = 8;
const HOLDERS = 50;
const RICH = 1_000_000_000_000;
const BREATH_MS = 1;

const [boss, ...holders] = ['boss', ...Array.from({ length: HOLDERS }, (_, n) => `holder ${n}`)].map((name) =>
  actor(`${name} of the moving chain`),
) as [Actor, ...Actor[]];

const chain = await startFakeChain({
  seed: 'moving',
  slotMs: SLOT_MS,
  nodes: { main: { notifications: { drop: Number(process.env.DROP) } } },
});
const node = openNode(chain.rpcUrl);
const programId = toAddress(chain.programId);
for (const { address } of [boss, ...holders]) chain.fund(address, RICH);

let event: Address;
let organizer: Address;
let accounts: Address[] = [];
/** When each move was sent, in the order of the chain; the mints came before. */
const sentAt: number[] = [];
let applied = 0;
let lags: number[] = [];
let following = false;

const answers: { [What in Ask['what']]: (ask: Extract<Ask, { what: What }>) => Promise<unknown> } = {
  open,
  move,
  follow,
  async applied({ count }) {
    const now = performance.now();
    for (; applied < count; applied++) lags.push(now - (sentAt[applied] ?? now));
  },
  async stop() {
    following = false;
  },
  async truth(): Promise<Truth> {
    await landed();
    const { failed } = chain.truth.landed('processed');
    const tickets = chain.truth
      .tickets('processed')
      .map(({ address, holder, version }) => ({ account: address, holder, version }));
    return { tickets, failed };
  },
};

process.on('message', async (ask: Ask) => {
  const answer = await (answers[ask.what] as (ask: Ask) => Promise<unknown>)(ask);
  if (ask.what !== 'applied' && ask.what !== 'stop') process.send?.({ answer });
});
process.send?.({ answer: 'ready' });

async function open({ tenantId, eventId, ticketIds }: Extract<Ask, { what: 'open' }>): Promise<Opened> {
  const [payer, admin, authority] = [boss.address, boss.address, boss.address];
  const tenant = uuidBytes(tenantId);
  organizer = organizerAddress(programId, tenant);
  event = eventAddress(programId, organizer, uuidBytes(eventId));
  const terms = { maxSupply: ticketIds.length, resaleCapBps: 10_000, keepCollectible: true };
  const parties = { gateAuthority: authority, rentRecipient: authority };
  await send([
    [[initConfig(programId, { payer, admin, treasury: admin, protocolFeeBps: 0 })], []],
    [
      [
        registerOrganizer(programId, {
          ...{ payer, admin, authority, tenantId: tenant },
          ...{ feeRecipient: authority, resaleFeeBps: 0 },
        }),
      ],
      [],
    ],
    [
      [
        createEvent(programId, {
          ...{ payer, authority, organizer, eventId: uuidBytes(eventId) },
          ...{ ...terms, ...parties, transferPolicy: 'open' },
        }),
      ],
      [],
    ],
  ]);
  accounts = ticketIds.map((_, index) => ticketAddress(programId, event, index));
  for (let at = 0; at < ticketIds.length; at += CHUNK)
    await send(
      ticketIds.slice(at, at + CHUNK).map((id, nth) => [
        [
          mintTicket(programId, {
            ...{ payer, authority, organizer, event, index: at + nth, ticketId: uuidBytes(id) },
            ...{ holder: holderOf(at + nth, 0).address, faceValue: 2_500n },
            ...{ name: 'A night', symbol: 'TSRA', uri: 'https://example.com/nft', attributes: {} },
          }),
        ],
        [],
      ]),
    );
  await landed();
  return { rpcUrl: chain.rpcUrl, wsUrl: chain.wsUrl, programId, event, accounts };
}

async function move({ count }: Extract<Ask, { what: 'move' }>): Promise<Moved> {
  for (let left = count; left > 0; left -= CHUNK) await moveSome(Math.min(left, CHUNK));
  await landed();
  return { moved: sentAt.length, lags: [] };
}

/**
 * Moves on until it is stopped. The older the oldest move is that was not applied yet, the longer the breaths between,
 * and past `lagMs` it waits: the chain and its clients share a core, and who asks must be answered too.
 */
async function follow({ lagMs }: Extract<Ask, { what: 'follow' }>): Promise<Moved> {
  following = true;
  lags = [];
  applied = sentAt.length;
  while (following) {
    const began = performance.now();
    const age = (): number => performance.now() - (sentAt[applied] ?? performance.now());
    if (age() < lagMs) await moveSome(CHUNK);
    await delay(BREATH_MS + (2 * (performance.now() - began) * age()) / lagMs);
  }
  await landed();
  return { moved: sentAt.length, lags };
}

/** Each ticket in its turn, from whoever has it to the next. */
async function moveSome(count: number): Promise<void> {
  const moves = Array.from({ length: count }, (_, nth): [TransactionInstruction[], Actor[]] => {
    const number = sentAt.length + nth;
    const index = number % accounts.length;
    const round = Math.floor(number / accounts.length);
    const [from, to] = [holderOf(index, round), holderOf(index, round + 1)];
    const transfer = transferTicket(programId, {
      ...{ payer: boss.address, organizer, event, index, rentRecipient: boss.address },
      ...{ holder: from.address, to: to.address },
    });
    return [[transfer], [from]];
  });
  await send(moves);
  const now = performance.now();
  for (let nth = 0; nth < count; nth++) sentAt.push(now);
}

function holderOf(index: number, round: number): Actor {
  return holders[(index + round) % HOLDERS] as Actor;
}

let sent = 0;
/** Their limits of units keep two transactions apart that say the same. */
async function send(wishes: [TransactionInstruction[], Actor[]][]): Promise<void> {
  const { value } = await node.getLatestBlockhash();
  const signed = wishes.map(([instructions, signers]) => {
    const limit = ComputeBudgetProgram.setComputeUnitLimit({ units: 200_000 + (sent++ % 100_000) });
    const message = compileMessage([limit, ...instructions], boss.address, value.blockhash);
    return attachSignatures(
      message,
      Object.fromEntries([boss, ...signers].map((one) => [one.address, one.sign(message)])),
    );
  });
  const refused = (await node.sendTransactions(signed)).find((one) => one !== undefined);
  if (refused) throw refused;
}

/** Everything that was sent is in a block that is confirmed. */
async function landed(): Promise<void> {
  while (chain.waiting() > 0) await delay(SLOT_MS);
  await delay(3 * SLOT_MS);
}
