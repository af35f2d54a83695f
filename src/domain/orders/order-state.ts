export const orderStatuses = ['pending', 'paid', 'failed', 'cancelled', 'refunded'] as const;
export type OrderStatus = (typeof orderStatuses)[number];

/** The legal steps of an order. Each is a compare-and-set on (status, version) that leaves a history row. */
export const orderSteps: Record<OrderStatus, readonly OrderStatus[]> = {
  pending: ['paid', 'failed', 'cancelled'],
  paid: ['cancelled', 'refunded'],
  failed: [],
  cancelled: ['refunded'],
  refunded: [],
};

/** What the purchase record of an order says. Money that went back later does not undo the purchase. */
export const recordStatuses: Record<OrderStatus, 'pending' | 'completed' | 'failed'> = {
  pending: 'pending',
  paid: 'completed',
  failed: 'failed',
  cancelled: 'completed',
  refunded: 'completed',
};
