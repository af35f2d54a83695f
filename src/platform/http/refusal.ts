import { errors } from 'jose';
import { DomainError } from '../errors.ts';

/** Why a token or key opens nothing. Stable: operators search the log for it, and no answer ever says it. */
export const refusals = [
  'no_token',
  'malformed',
  'not_supported',
  'wrong_algorithm',
  'unknown_key',
  'bad_signature',
  'keys_unavailable',
  'wrong_type',
  'wrong_issuer',
  'wrong_audience',
  'expired',
  'no_expiry',
  'not_yet_valid',
  'bad_subject',
  'bad_tenant',
  'bad_role',
  'bad_claim',
  'tenant_closed',
  'api_key_malformed',
  'api_key_unknown',
  'api_key_revoked',
  'api_key_expired',
] as const;
export type Refusal = (typeof refusals)[number];

/** The one answer to all of it. The refusal is its cause, for the log; a webhook that is not signed has none. */
export function unauthenticated(refusal?: Refusal): DomainError {
  const error = new DomainError('unauthenticated', 'unauthenticated', 'A valid token is required.');
  return refusal === undefined ? error : error.withCause(refusal);
}

const byCode: Record<string, Refusal> = {
  ERR_JWS_INVALID: 'malformed',
  ERR_JWT_INVALID: 'malformed',
  ERR_JOSE_NOT_SUPPORTED: 'not_supported',
  ERR_JOSE_ALG_NOT_ALLOWED: 'wrong_algorithm',
  ERR_JWKS_NO_MATCHING_KEY: 'unknown_key',
  ERR_JWKS_MULTIPLE_MATCHING_KEYS: 'unknown_key',
  ERR_JWS_SIGNATURE_VERIFICATION_FAILED: 'bad_signature',
  ERR_JWT_EXPIRED: 'expired',
};

const byClaim: Record<string, Refusal> = {
  iss: 'wrong_issuer',
  aud: 'wrong_audience',
  typ: 'wrong_type',
  nbf: 'not_yet_valid',
  exp: 'no_expiry',
  sub: 'bad_subject',
  tenant: 'bad_tenant',
  role: 'bad_role',
};

/** What the verification of a token failed at. An error that is none of the verifier's is that of the issuer's keys. */
export function refusalOf(error: unknown): Refusal {
  if (error instanceof errors.JWTClaimValidationFailed) return byClaim[error.claim] ?? 'bad_claim';
  return (error instanceof errors.JOSEError ? byCode[error.code] : undefined) ?? 'keys_unavailable';
}
