import type { AppContext } from '../../context.ts';
import { type Actor, actorName, type Role, requireRole } from '../../platform/actor.ts';
import { recordAudit } from '../../platform/audit.ts';
import { DomainError } from '../../platform/errors.ts';
import { newId, type TenantId } from '../../platform/ids.ts';
import { type TenantTx, withTenant } from '../../platform/tenant-tx.ts';
import { formatApiKey } from './api-key-format.ts';

export type ApiKeyInput = { name: string; role: Role; scopes: string[]; expiresAt?: Date | undefined };
/** `key` is shown this once. */
export type NewApiKey = { id: string; name: string; role: Role; scopes: string[]; key: string };

export async function createApiKey(ctx: AppContext, actor: Actor, input: ApiKeyInput): Promise<NewApiKey> {
  requireRole(actor, 'admin');
  const now = ctx.clock.now();
  if (input.expiresAt && input.expiresAt <= now) {
    throw new DomainError('invalid', 'expires_in_past', 'expiresAt must lie in the future.');
  }
  return withTenant(ctx.db, actor.tenantId, async (tx) => {
    const apiKey = await insertApiKey(tx, actor.tenantId, now, input);
    await recordAudit(tx, actor.tenantId, now, {
      actor: actorName(actor),
      action: 'api_key.created',
      subject: apiKey.id,
      details: { role: input.role, scopes: input.scopes },
    });
    return apiKey;
  });
}

export async function insertApiKey(
  tx: TenantTx,
  tenantId: TenantId,
  now: Date,
  input: ApiKeyInput,
): Promise<NewApiKey> {
  const id = newId();
  const { text, secretHash } = formatApiKey(tenantId, id);
  const { name, role, scopes } = input;
  await tx
    .insertInto('api_keys')
    .values({
      tenant_id: tenantId,
      id,
      name,
      role,
      scopes,
      secret_hash: secretHash,
      created_at: now,
      expires_at: input.expiresAt ?? null,
    })
    .execute();
  return { id, name, role, scopes, key: text };
}
