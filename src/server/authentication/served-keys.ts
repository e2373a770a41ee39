import { errors } from 'jose';
import { Unavailable } from '../../shared/domain/errors.ts';
import type { CallersFile, KeysSpec } from './callers-file.ts';
import type { KeySet } from './key-set.ts';
import { accountNamed } from './service-accounts.ts';
import type { Proof } from './token-review.ts';
import { ALGORITHMS, requirePlausible, verifySignature } from './verify-token.ts';

/**
 * Where an API server publishes the keys that its tokens are signed with. Any service account may read them unless RBAC
 * was changed (ClusterRoleBinding `system:service-account-issuer-discovery`).
 */
export function servedKeys({
  url,
  caFile,
  tokenFile,
}: NonNullable<CallersFile['clusters'][number]['tokenReview']>): KeysSpec {
  return { url: `${url}/openid/v1/jwks`, caFile, tokenFile };
}

/**
 * Proves tokens by the keys that their API server serves, where it does. What it does not serve, or signs with a key
 * that is not among them, is left to its TokenReview: the keys are here to keep forgeries from it, and its word is the
 * last, by its own clock.
 */
export function accountByServedKeys({ audiences, keys }: { audiences: readonly string[]; keys: KeySet }): Proof {
  return async (token, now) => {
    requirePlausible(token, audiences, now);
    try {
      return accountNamed(await verifySignature(token, { algorithms: ALGORITHMS, keys }));
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
