import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { SystemProgram } from '@solana/web3.js';
import { LOCAL_PROGRAM } from '../../../programs-client/addresses.ts';
import type { Account } from './account-history.ts';
import { type Decided, Dice } from './dice.ts';
import { faucetOn } from './faucet.ts';
import { Ledger } from './ledger.ts';
import type { ChainFaults, FakeChainOptions, NodeFaults } from './options.ts';
import type { Node } from './rpc/node.ts';
import { Runtime } from './runtime.ts';
import { serveHttp } from './serve-http.ts';
import { type Socket, serveSocket } from './serve-socket.ts';
import { type Strangers, strangersOn } from './strangers.ts';
import { type Truth, truthOf } from './truth.ts';
import { View } from './view.ts';

const PROGRAM_FILE = join(import.meta.dirname, '../../../programs/ticketing/ticketing.so');
const SLOT_MS = 40;
/** Chain time of a slot that is advanced by hand. */
const NOMINAL_SLOT_MS = 400;
/** A machine that was busy catches up by so many slots at a time. */
const MOST_AT_ONCE = 10;

export type NodeHandle = {
  rpcUrl: string;
  wsUrl: string;
  /** Methods that it was asked for, and how often. */
  asked: Map<string, number>;
  /** Puts these faults in the place of all that it had. */
  fault(faults: NodeFaults): void;
  /** Breaks its WebSockets; who connects again is served. */
  cut(): void;
  /** Says something to all its WebSockets, whatever they asked for. */
  say(message: unknown): void;
};

export type FakeChain<Name extends string = string> = {
  /** Of the first node. */
  rpcUrl: string;
  wsUrl: string;
  nodes: Record<Name, NodeHandle>;
  programId: string;
  genesisHash: string;
  truth: Truth;
  strangers: Strangers;
  slot(): number;
  /** So many slots at once; the only clock of a `manual` chain. */
  advance(slots?: number): void;
  /** Drops the newest `depth` blocks that are not final and builds on what is left. Throws a `RangeError` beyond. */
  fork(depth: number): void;
  /** Puts these faults in the place of all that the chain had. */
  fault(faults: ChainFaults): void;
  /** What was decided by chance so far, in order. */
  decided(): Decided[];
  /** Transactions on their way into a block. */
  waiting(): number;
  /** Gives lamports, as if they had been there from the start. */
  fund(address: string, lamports: number): void;
  /** Puts an account there, as if it had been there from the start, also one that no transaction could make. */
  plant(address: string, account: Account): void;
  stop(): Promise<void>;
};

/** A chain in this process, with as many nodes as asked for, each with JSON-RPC and WebSocket on a port of its own. */
export async function startFakeChain<Name extends string = 'main'>(
  options: FakeChainOptions<Name>,
): Promise<FakeChain<Name>> {
  const { seed, slotMs = SLOT_MS, confirmedAfter = 1 } = options;
  const wanted: { [name: string]: NodeFaults } = options.nodes ?? { main: {} };
  const programs = options.programs ?? { [LOCAL_PROGRAM]: PROGRAM_FILE };
  const [programId = LOCAL_PROGRAM] = Object.keys(programs);
  const chainMs = slotMs === 'manual' ? NOMINAL_SLOT_MS : slotMs;
  let faults = options.faults ?? {};
  const dice = new Dice(seed);
  const rules = {
    seed,
    startTime: options.startTime ?? Math.floor(Date.now() / 1_000),
    slotMs: chainMs,
    finalizedAfter: options.finalizedAfter ?? 32,
    blockhashBlocks: options.blockhashBlocks ?? 150,
    verifySignatures: options.verifySignatures ?? true,
  };
  const ledger = new Ledger(rules, new Runtime(programs), dice, () => faults);
  const airdrop = faucetOn(ledger);
  const started = await Promise.all(
    Object.entries(wanted).map(([name, first]) =>
      startNode({ name, ledger, dice, airdrop, confirmedAfter, first }),
    ),
  );
  ledger.onSlot = () => {
    for (const { socket } of started) socket.tell();
  };
  const ticking = slotMs === 'manual' ? undefined : tick(ledger, slotMs);
  const [main] = started;
  if (main === undefined) throw new RangeError('a chain needs a node');

  return {
    rpcUrl: main.handle.rpcUrl,
    wsUrl: main.handle.wsUrl,
    nodes: Object.fromEntries(started.map(({ name, handle }) => [name, handle])) as Record<Name, NodeHandle>,
    programId,
    genesisHash: ledger.genesisHash,
    truth: truthOf(ledger, programId, confirmedAfter),
    strangers: strangersOn(ledger),
    slot: () => ledger.slot,
    advance(slots = 1) {
      for (let done = 0; done < slots; done++) ledger.advance();
    },
    fork: (depth) => ledger.fork(depth),
    fault(next) {
      faults = next;
    },
    decided: () => [...dice.decided],
    waiting: () => ledger.pool.size,
    fund(address, lamports) {
      ledger.amend(address, (account) => ({
        ...(account ?? empty),
        lamports: (account?.lamports ?? 0n) + BigInt(lamports),
      }));
    },
    plant: (address, account) => ledger.amend(address, () => account),
    async stop() {
      clearInterval(ticking);
      await Promise.all(started.map((node) => node.stop()));
    },
  };
}

const empty: Account = {
  lamports: 0n,
  owner: SystemProgram.programId.toBase58(),
  data: Buffer.alloc(0),
  executable: false,
};

type Started = { name: string; handle: NodeHandle; socket: Socket; stop(): Promise<void> };

async function startNode(options: {
  name: string;
  ledger: Ledger;
  dice: Dice;
  airdrop: Node['airdrop'];
  confirmedAfter: number;
  first: NodeFaults;
}): Promise<Started> {
  const { name, ledger, dice, airdrop, confirmedAfter } = options;
  let faults = options.first;
  const view = new View(ledger, confirmedAfter, () => faults);
  const node: Node = { name, ledger, view, dice, airdrop, faults: () => faults };
  const asked = new Map<string, number>();
  const server = serveHttp(node, (method) => asked.set(method, (asked.get(method) ?? 0) + 1));
  const socket = serveSocket(node, server);
  const port = await listen(server);
  return {
    name,
    socket,
    handle: {
      rpcUrl: `http://127.0.0.1:${port}`,
      wsUrl: `ws://127.0.0.1:${port}`,
      asked,
      fault(next) {
        faults = next;
      },
      cut: () => socket.cut(),
      say: (message) => socket.say(message),
    },
    stop() {
      socket.close();
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });
}

/** Slots follow the clock of the machine, also when a timer comes late. */
function tick(ledger: Ledger, slotMs: number): NodeJS.Timeout {
  let due = performance.now() + slotMs;
  return setInterval(() => {
    for (let done = 0; due <= performance.now() && done < MOST_AT_ONCE; done++) {
      due += slotMs;
      ledger.advance();
    }
  }, slotMs);
}
