import type { Chance, Range } from './dice.ts';

/** What goes wrong on the chain itself, for every node alike. */
export type ChainFaults = {
  /** A transaction that was accepted is forgotten when its slot comes; a node that may retry tries again 5 slots on. */
  drop?: Chance;
  /** It lands so many slots later than it could. */
  late?: { chance: Chance; slots: Range };
  /** A slot without a block. */
  skip?: Chance;
  /** At a slot, so many of the newest blocks are dropped. */
  fork?: { chance: Chance; depth: Range };
  /** Of what a fork drops, this share never comes back. The default is 0.5. */
  lost?: number;
  /** What comes back comes so many slots after the fork; [0, 3] by default. */
  back?: Range;
};

/** A fault of HTTP; for these methods only, or for all. */
type Often = { chance: Chance; methods?: string[] };

/** What goes wrong at one node. */
export type NodeFaults = {
  /** It sees the chain as it was so many slots ago. */
  lagSlots?: number;
  /** It sees nothing after this slot. */
  stuckAt?: number;
  /** Signatures, statuses and transactions before this slot are forgotten; accounts stay. */
  historyFrom?: number;
  /** It says another genesis hash than its chain has. */
  genesisHash?: string;
  /** What it says of recent priority fees, in millionths of a lamport per unit. */
  prioritizationFee?: number;
  /** Says that it is so many slots behind, and checks no transaction. */
  behind?: number;
  /** Refuses several calls in one request, as some nodes do. */
  noBatches?: boolean;
  /** Answers 401 without `?api-key=` of this. */
  apiKey?: string;
  answers?: {
    late?: Often & { ms: Range };
    /** 429, with Retry-After in seconds. */
    tooMany?: Often & { retryAfter: number };
    /** A status from 500. */
    broken?: Often & { status: number };
    /** 200 with a page that is no JSON. */
    garbage?: Often;
    /** So many bytes of sound JSON, before the answer's own fields. */
    huge?: Often & { bytes: number };
    /** 307 to this URL. */
    redirect?: Often & { to: string };
    /** Of several calls at once, the last is answered first. */
    reversed?: Often;
    /** Never answers. */
    hang?: Often;
    /** Closes the connection: before it looked at the request, or after it did what was asked. */
    cut?: Often & { when: 'before' | 'after' };
  };
  lies?: {
    /** null for an account that exists; left out of lists. */
    noAccount?: Chance;
    noStatus?: Chance;
    noTransaction?: Chance;
    /** Share of the slots whose signatures no list of this node ever shows. */
    hiddenSlots?: number;
    /** Says that what was only processed is final. */
    finalTooEarly?: boolean;
    /** Says that what is not final yet does not exist. */
    deniesConfirmed?: boolean;
  };
  /** Of the WebSocket. Swapped: told after the next one. */
  notifications?: {
    drop?: Chance;
    double?: Chance;
    swap?: Chance;
    late?: { chance: Chance; ms: Range };
    /** Takes subscriptions and tells nothing. */
    silent?: boolean;
  };
};

export type FakeChainOptions<Name extends string = string> = {
  /** Decides every fault. The same seed and the same input give the same faults. */
  seed: number | string;
  /** Milliseconds a slot; 40 by default. `manual`: a slot comes when `advance` is called. */
  slotMs?: number | 'manual';
  /** Unix seconds of slot 0; now by default. Fix it where runs are compared. */
  startTime?: number;
  /** Programs by address, with their files; by default ours. */
  programs?: { [address: string]: string };
  /** Blocks on top of a confirmed one (1) and of a final one (32). */
  confirmedAfter?: number;
  finalizedAfter?: number;
  /** A blockhash is good for so many blocks after its own; 150 by default. */
  blockhashBlocks?: number;
  /** Whether signatures are checked; they are by default. */
  verifySignatures?: boolean;
  faults?: ChainFaults;
  /** Nodes by name, each with its faults; one without, called `main`, by default. */
  nodes?: Record<Name, NodeFaults>;
};
