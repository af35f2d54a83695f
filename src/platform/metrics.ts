import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/** The measurements of one process, in its own registry so that tests can run several side by side. */
export function createMetrics() {
  const registry = new Registry();
  const registers = [registry];
  return {
    registry,
    httpDuration: new Histogram({
      name: 'tessera_http_request_duration_seconds',
      help: 'Time to answer, by method, route and status',
      labelNames: ['method', 'route', 'status'] as const,
      buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      registers,
    }),
    cacheFailures: new Counter({
      name: 'tessera_cache_failures_total',
      help: 'Cache commands that failed and were answered without the cache',
      labelNames: ['command'] as const,
      registers,
    }),
    outboxPublished: new Counter({
      name: 'tessera_outbox_published_total',
      help: 'Outbox rows confirmed by the bus',
      registers,
    }),
    outboxFailures: new Counter({
      name: 'tessera_outbox_failures_total',
      help: 'Attempts to publish an outbox row that the bus did not confirm',
      registers,
    }),
    messagesHandled: new Counter({
      name: 'tessera_messages_handled_total',
      help: 'Messages by queue and outcome: done, repeated, deferred, parked',
      labelNames: ['queue', 'outcome'] as const,
      registers,
    }),
    sales: new Counter({
      name: 'tessera_orders_total',
      help: 'Orders by outcome',
      labelNames: ['outcome'] as const,
      registers,
    }),
    scans: new Counter({
      name: 'tessera_scans_total',
      help: 'Scans by verdict',
      labelNames: ['verdict'] as const,
      registers,
    }),
    transactions: new Counter({
      name: 'tessera_chain_transactions_total',
      help: 'Chain transactions by purpose and step',
      labelNames: ['purpose', 'step'] as const,
      registers,
    }),
    capacityDrift: new Counter({
      name: 'tessera_capacity_drift_total',
      help: 'Times the inventory counter did not equal the rows it counts',
      registers,
    }),
    listenerEntries: new Counter({
      name: 'tessera_listener_entries_total',
      help: 'Chain entries recorded, by kind and outcome',
      labelNames: ['kind', 'outcome'] as const,
      registers,
    }),
    listenerSlot: new Gauge({
      name: 'tessera_listener_slot',
      help: 'Newest slot seen, by commitment',
      labelNames: ['commitment'] as const,
      registers,
    }),
    saleToMinted: new Histogram({
      name: 'tessera_sale_to_minted_seconds',
      help: 'Time from a paid order to its ticket seen on the chain',
      buckets: [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1_800, 3_600, 21_600],
      registers,
    }),
    chainQuarantined: new Counter({
      name: 'tessera_chain_quarantined_total',
      help: 'Transactions put aside because they could not be fetched, read or recorded',
      registers,
    }),
    chainDrift: new Counter({
      name: 'tessera_chain_drift_total',
      help: 'Tickets whose copy did not say what the chain says, by kind',
      labelNames: ['kind'] as const,
      registers,
    }),
    chainForks: new Counter({
      name: 'tessera_chain_forked_transactions_total',
      help: 'Confirmed transactions that a fork took back',
      registers,
    }),
    listenerLag: new Gauge({
      name: 'tessera_listener_lag_slots',
      help: 'Slots between what the chain has and what was applied',
      registers,
    }),
    listenerLagSeconds: new Gauge({
      name: 'tessera_listener_lag_seconds',
      help: 'Seconds since everything there was had been applied',
      registers,
    }),
    listenerLeads: new Gauge({
      name: 'tessera_listener_leads',
      help: '1 in the listener that works, 0 in one that stands by',
      registers,
    }),
    chainBacklog: new Gauge({
      name: 'tessera_chain_backlog_tickets',
      help: 'Tickets that are sold and not on the chain yet; parked ones among them',
      labelNames: ['state'] as const,
      registers,
    }),
    chainBacklogAge: new Gauge({
      name: 'tessera_chain_backlog_age_seconds',
      help: 'Age of the oldest ticket that waits for the chain and is not parked',
      registers,
    }),
    chainPending: new Gauge({
      name: 'tessera_chain_pending_transactions',
      help: 'Our transactions by how far they are',
      labelNames: ['status'] as const,
      registers,
    }),
    chainPendingAge: new Gauge({
      name: 'tessera_chain_pending_age_seconds',
      help: 'Age of the oldest of our transactions that is not confirmed',
      registers,
    }),
    chainAttempts: new Gauge({
      name: 'tessera_chain_attempts',
      help: 'The highest attempt among our transactions that are not confirmed',
      registers,
    }),
    chainQuarantine: new Gauge({
      name: 'tessera_chain_quarantine',
      help: 'Transactions that were put aside: those that are tried again, and those given up',
      labelNames: ['state'] as const,
      registers,
    }),
    chainOrphans: new Gauge({
      name: 'tessera_chain_orphans',
      help: 'Entries of the last day that a fork took back',
      registers,
    }),
    chainAudit: new Gauge({
      name: 'tessera_chain_audit',
      help: 'What the last audit found, in tickets, by kind',
      labelNames: ['kind'] as const,
      registers,
    }),
    chainAuditAge: new Gauge({
      name: 'tessera_chain_audit_age_seconds',
      help: 'Time since the last audit ended',
      registers,
    }),
    chainNode: new Gauge({
      name: 'tessera_chain_node_well',
      help: '1 for a node that answers, 0 for one that rests or serves another chain',
      labelNames: ['node'] as const,
      registers,
    }),
    clockSkew: new Gauge({
      name: 'tessera_clock_skew_seconds',
      help: "By how much this machine's clock is ahead of the database's",
      registers,
    }),
    circuitOpen: new Gauge({
      name: 'tessera_circuit_open',
      help: '1 while the circuit to a service is open',
      labelNames: ['service'] as const,
      registers,
    }),
    payerLamports: new Gauge({
      name: 'tessera_chain_payer_lamports',
      help: 'Balance of each fee payer and of the treasury',
      labelNames: ['payer'] as const,
      registers,
    }),
    payerLow: new Gauge({
      name: 'tessera_chain_payer_low',
      help: '1 while a fee payer has less than CHAIN_PAYER_LOW_SOL, or the treasury too little to fill one',
      labelNames: ['payer'] as const,
      registers,
    }),
    payerInFlight: new Gauge({
      name: 'tessera_chain_payer_in_flight',
      help: 'Transactions that a fee payer pays for and that have not ended',
      labelNames: ['payer'] as const,
      registers,
    }),
    refills: new Counter({
      name: 'tessera_chain_refills_total',
      help: 'Refills of fee payers by step: prepared, landed, failed, expired, refused',
      labelNames: ['step'] as const,
      registers,
    }),
    transactionsWaiting: new Counter({
      name: 'tessera_chain_waiting_total',
      help: 'Times a transaction had to wait for money, by reason: no_payer, spend_limit',
      labelNames: ['reason'] as const,
      registers,
    }),
    priorityFee: new Gauge({
      name: 'tessera_chain_priority_fee',
      help: 'Micro-lamports that are paid for a unit of compute',
      registers,
    }),
    /** Event-loop lag, memory and garbage collection; one process needs it once. */
    collectProcess: () => collectDefaultMetrics({ register: registry }),
  };
}

export type Metrics = ReturnType<typeof createMetrics>;
