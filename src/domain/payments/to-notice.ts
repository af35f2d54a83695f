import type { ProviderNotice } from '../../context.ts';
import { toTenantId, UUID_PATTERN } from '../../platform/ids.ts';

/**
 * What a signed notice says, checked: a provider's account may serve other systems too, whose notices name nothing of
 * ours. Undefined for those.
 */
export function toNotice(names: {
  eventId: unknown;
  kind: unknown;
  tenant: unknown;
  payment: unknown;
  refund?: unknown;
}): ProviderNotice | undefined {
  const { eventId, kind, tenant, payment, refund } = names;
  if (typeof eventId !== 'string' || typeof kind !== 'string' || eventId === '' || kind === '')
    return undefined;
  if (!isUuid(tenant) || !isUuid(payment)) return undefined;
  return {
    eventId,
    kind,
    tenantId: toTenantId(tenant),
    reference: payment,
    refundId: isUuid(refund) ? refund : undefined,
  };
}

function isUuid(value: unknown): value is string {
  return typeof value === 'string' && UUID_PATTERN.test(value);
}
