import type { Clock } from '../../platform/clock.ts';
import type { TenantId } from '../../platform/ids.ts';

/**
 * Remembers for a moment what PostgreSQL said was sold out, so that a storm on it does not queue for the row again.
 * Advisory: it only ever refuses what was just refused, opens by itself after `closedMs`, and at once when places of the
 * type came free in this process.
 */
export type SoldOutGate = {
  /** How many places were left when it closed; undefined while it is open. */
  closedAt(tenantId: TenantId, ticketTypeId: string): number | undefined;
  close(tenantId: TenantId, ticketTypeId: string, available: number): void;
  open(tenantId: TenantId, ticketTypeId: string): void;
};

const REMEMBERED = 10_000;

export function createSoldOutGate({
  clock,
  closedMs = 500,
}: {
  clock: Clock;
  closedMs?: number;
}): SoldOutGate {
  const closed = new Map<string, { until: number; available: number }>();
  const name = (tenantId: TenantId, ticketTypeId: string): string => `${tenantId}:${ticketTypeId}`;
  return {
    closedAt(tenantId, ticketTypeId) {
      const entry = closed.get(name(tenantId, ticketTypeId));
      return entry && entry.until > clock.now().getTime() ? entry.available : undefined;
    },
    close(tenantId, ticketTypeId, available) {
      const key = name(tenantId, ticketTypeId);
      closed.delete(key);
      closed.set(key, { until: clock.now().getTime() + closedMs, available });
      if (closed.size > REMEMBERED) {
        const [oldest] = closed.keys();
        if (oldest !== undefined) closed.delete(oldest);
      }
    },
    open: (tenantId, ticketTypeId) => void closed.delete(name(tenantId, ticketTypeId)),
  };
}
