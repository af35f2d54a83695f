import { Connection, type TransactionSignature } from '@solana/web3.js';
import { type Breaker, createBreaker } from '../../../platform/breaker.ts';
import type { Cache } from '../../../platform/cache.ts';
import { DomainError } from '../../../platform/errors.ts';
import type { Logger } from '../../../platform/logger.ts';
import type { Metrics } from '../../../platform/metrics.ts';

/** An RPC node behind a time-out and a circuit breaker. Whatever fails there is `unavailable` here. */
export type Rpc = {
  readonly connection: Connection;
  readonly breaker: Breaker;
  /** @throws DomainError unavailable */
  ask<T>(question: (connection: Connection) => Promise<T>): Promise<T>;
};

export type Signature = TransactionSignature;

const TIMEOUT_MS = 5_000;

export function createRpc(options: {
  url: string;
  wsUrl?: string | undefined;
  cache: Cache;
  log: Logger;
  metrics: Metrics;
}): Rpc {
  const { url, wsUrl, ...rest } = options;
  const connection = new Connection(url, {
    commitment: 'confirmed',
    disableRetryOnRateLimit: true,
    ...(wsUrl ? { wsEndpoint: wsUrl } : {}),
    fetch: ((input: string, init: RequestInit) =>
      fetch(input, { ...init, signal: AbortSignal.timeout(TIMEOUT_MS) })) as never,
  });
  const breaker = createBreaker({ service: 'chain', ...rest });
  return {
    connection,
    breaker,
    async ask(question) {
      try {
        return await breaker.run(() => question(connection));
      } catch (error) {
        if (error instanceof DomainError) throw error;
        throw new DomainError('unavailable', 'chain_unavailable', 'The chain does not answer.', {
          retryAfter: 5,
        }).withCause(error);
      }
    },
  };
}
