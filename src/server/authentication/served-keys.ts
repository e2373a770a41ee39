import { errors } from 'jose';
import { Unavailable } from '../../shared/domain/errors.ts';
import type { CallersFile, KeysSpec } from './callers-file.ts';
import type { KeySet } from './key-set.ts';
import { accountByKeys } from './service-accounts.ts';
import type { Proof } from './token-review.ts';
import { ALGORITHMS, requirePlausible } from './verify-token.ts';

/**
 * Where an API server publishes the keys that its tokens are signed with. Any service account may read them unless RBAC was
 * changed (ClusterRoleBinding `system:service-account-issuer-discovery`).
 */
export function servedKeys({
  url,
  caFile,
  tokenFile,
}: NonNullable<CallersFile['clusters'][number]['tokenReview']>): KeysSpec {
  return { url: `${url}/openid/v1/jwks`, caFile, tokenFile };
}

/**
 * Proves tokens by the keys that their API server serves, where it does. What it does not serve, or signs with a key that
 * is not among them, is left to its TokenReview: the keys are here to keep forgeries from it, and its word is the last.
 */
export function accountByServedKeys({
  issuer,
  audiences,
  keys,
}: {
  issuer: string;
  audiences: readonly string[];
  keys: KeySet;
}): Proof {
  const accountOf = accountByKeys({ issuer, audiences, algorithms: ALGORITHMS, keys });
  return async (token, now) => {
    requirePlausible(token, audiences, now);
    try {
      return await accountOf(token, now);
    } catch (error) {
      if (error instanceof Unavailable || isOfUnknownKey(error)) {
        return undefined;
      }
      throw error;
    }
  };
}

function isOfUnknownKey(error: unknown): boolean {
  return (
    error instanceof Error &&
    (error.cause instanceof errors.JWKSNoMatchingKey || error.cause instanceof errors.JWKSMultipleMatchingKeys)
  );
}
