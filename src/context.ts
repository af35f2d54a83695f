import type { Config } from './config.ts';
import type { Bus } from './platform/bus.ts';
import type { Cache } from './platform/cache.ts';
import type { Clock } from './platform/clock.ts';
import type { Db } from './platform/db.ts';
import type { Failpoints } from './platform/failpoints.ts';
import type { TenantId } from './platform/ids.ts';
import type { Logger } from './platform/logger.ts';
import type { Metrics } from './platform/metrics.ts';

/** Everything a verb may reach, passed as an argument. There is no other way to a service. */
export type AppContext = {
  config: Config;
  db: Db;
  cache: Cache;
  bus: Bus;
  chain: ChainReader;
  payments: PaymentProvider;
  log: Logger;
  metrics: Metrics;
  clock: Clock;
  failpoints: Failpoints;
};

/** What the chain says of a ticket now. */
export type ChainTicket = {
  owner: string;
  status: 'active' | 'checked_in' | 'revoked';
  version: number;
  slot: bigint;
};

/** Reading the chain, without any key. */
export type ChainReader = {
  /** What the ticket account `address` says, confirmed; undefined when there is none. @throws DomainError unavailable */
  readTicket(address: string): Promise<ChainTicket | undefined>;
  /** The current slot, confirmed. @throws DomainError unavailable */
  slot(): Promise<bigint>;
  /** Whether an Ed25519 signature of `message` was made by the key of `address`. */
  verifySignature(address: string, message: Uint8Array, signature: Uint8Array): boolean;
  isAddress(text: string): boolean;
};

export type Charge = {
  tenantId: TenantId;
  orderId: string;
  /** Our payment id: the provider answers a second charge under it with the outcome of the first. */
  reference: string;
  amountMinor: bigint;
  currency: string;
  /** What the buyer's client got from the provider. */
  token: string;
};

export type ChargeOutcome =
  | { status: 'succeeded'; providerReference: string }
  | { status: 'failed'; code: string }
  /** The buyer must confirm at the provider, e.g. by 3-D Secure. */
  | { status: 'requires_action'; providerReference: string; nextAction: { type: 'redirect'; url: string } }
  /** Nobody knows yet; ask again with `look`, never with another charge. */
  | { status: 'unknown' };

/** A payment as both sides know it. */
export type PaymentName = { tenantId: TenantId; reference: string; providerReference?: string | undefined };

export type RefundRequest = PaymentName & {
  refundId: string;
  amountMinor: bigint;
  currency: string;
  /** How often it was asked for before, and what the provider called it then. */
  attempts: number;
  refundReference?: string | undefined;
};

export type RefundOutcome =
  | { status: 'succeeded'; providerReference: string }
  | { status: 'failed'; code: string }
  /** Not paid back yet, or nobody knows; ask again under the name that the provider gave it. */
  | { status: 'unknown'; providerReference?: string | undefined };

/** What a signed notice of the provider is about. */
export type ProviderNotice = {
  eventId: string;
  kind: string;
  tenantId: TenantId;
  reference: string;
  /** When it is about paying that payment back. */
  refundId?: string | undefined;
};

/** A payment provider. Its calls are network calls: never inside a database transaction. */
export type PaymentProvider = {
  name: string;
  /**
   * Charges once, however often it is called with one reference. `keepReference` is called with the provider's own
   * name for the payment before money can move, so that an answer which is lost can be asked for; when it throws, no
   * money moves.
   */
  charge(charge: Charge, keepReference: (providerReference: string) => Promise<void>): Promise<ChargeOutcome>;
  /**
   * The outcome of an earlier charge; `failed` with code `never_received` when the provider knows of none. With
   * `abandon` a payment that still waits for somebody is called off, so that it cannot come through later. With `early`
   * the charge may be under way in this moment: what it has not done yet is `unknown`, and nothing is called off.
   */
  look(payment: PaymentName, options?: { abandon?: boolean; early?: boolean }): Promise<ChargeOutcome>;
  /** Pays back, once for each `refundId`; asked again it says how that refund stands now. */
  refund(request: RefundRequest): Promise<RefundOutcome>;
  /** Reads a webhook. Undefined for a notice that does not concern us. @throws DomainError unauthenticated when it is not the provider's */
  readNotice(body: string, headers: Headers): Promise<ProviderNotice | undefined>;
};
