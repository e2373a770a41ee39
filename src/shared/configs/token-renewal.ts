import type { Access } from '../domain/config.ts';
import type { Permission } from '../domain/permissions.ts';
import type { Secret } from '../domain/secret.ts';
import { tokenSeconds } from '../domain/ttl.ts';
import { readClaims, type TokenClaims } from './token-claims.ts';

/** The part of a token's life that is left when it is renewed: time for many tries. */
const LEFT_AT_RENEWAL = 1 / 3;

/** How a cluster token gets its successor. */
export interface TokenRenewal {
  /** Its own. */
  account: NonNullable<TokenClaims['account']>;
  audiences: readonly string[];
  /** The life that it was given, which its successor is asked for. */
  seconds: number;
  /** From then on, in milliseconds since the epoch. */
  dueTime: number;
  /** Until then. */
  expireTime: number;
}

/** Either how a token is renewed, or why it cannot be, as what stands behind "the token" in a sentence. */
export type Renewability = { renewal: TokenRenewal } | { problem: string };

/** What a cluster token says of how it may be renewed. */
export function renewalOf(token: Secret): Renewability {
  const claims = readClaims(token);
  if (!claims?.account) {
    return { problem: 'is not that of a service account' };
  }
  const { account, audiences, issueTime, expireTime, boundTo } = claims;
  if (issueTime === undefined || expireTime === undefined || expireTime <= issueTime) {
    return { problem: 'does not say since when and until when it is good, as one of the TokenRequest API does' };
  }
  if (boundTo !== undefined) {
    return { problem: `ends with its ${boundTo}, which a renewed one would outlive` };
  }
  const lifeMs = expireTime - issueTime;
  return {
    renewal: {
      account,
      audiences,
      seconds: tokenSeconds(lifeMs / 1000),
      dueTime: expireTime - lifeMs * LEFT_AT_RENEWAL,
      expireTime,
    },
  };
}

/** How the token of an access is renewed, where that is wanted; undefined where it is not. */
export function wantedRenewal(access: Access): TokenRenewal | undefined {
  const how = access.kind === 'direct' && access.renewToken ? renewalOf(access.token) : undefined;
  return how && 'renewal' in how ? how.renewal : undefined;
}

/** What an access needs besides, where its token is to be renewed. */
export function renewalPermissions(access: Access): Permission[] {
  const renewal = wantedRenewal(access);
  if (!renewal) {
    return [];
  }
  const { namespace, name } = renewal.account;
  return [
    {
      verb: 'create',
      apiGroup: '',
      resource: 'serviceaccounts/token',
      namespace,
      objectName: name,
      purpose: 'renew the cluster token itself (renew_token)',
    },
  ];
}
