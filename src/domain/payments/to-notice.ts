import type { ProviderNotice } from '../../context.ts';
import { DomainError } from '../../platform/errors.ts';
import { isClean } from '../../platform/http/read-json.ts';
import { toTenantId, UUID_PATTERN } from '../../platform/ids.ts';

/** Longer than any name that a provider gives to an event or its kind. */
const MAX_NAME = 255;

/**
 * What a signed notice says, checked: a provider's account may serve other systems too, whose notices name nothing of
 * ours. Undefined for those. @throws DomainError invalid for what is no notice of anybody
 */
export function toNotice(names: {
  eventId: unknown;
  kind: unknown;
  tenant: unknown;
  payment: unknown;
  refund?: unknown;
}): ProviderNotice | undefined {
  const { eventId, kind, tenant, payment, refund } = names;
  if (!isName(eventId) || !isName(kind)) throw malformedNotice();
  if (!isUuid(tenant) || !isUuid(payment)) return undefined;
  return {
    eventId,
    kind,
    tenantId: toTenantId(tenant),
    reference: payment,
    refundId: isUuid(refund) ? refund : undefined,
  };
}

/** Signed or not: what cannot be read stays so, however often it is sent. */
export function malformedNotice(): DomainError {
  return new DomainError('invalid', 'malformed_body', 'The body is no notice.');
}

/** The object that a text is, in JSON. @throws DomainError invalid */
export function parseNotice(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw malformedNotice();
  }
  if (!isObject(value)) throw malformedNotice();
  return value;
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= MAX_NAME && isClean(value);
}

function isUuid(value: unknown): value is string {
  return typeof value === 'string' && UUID_PATTERN.test(value);
}
