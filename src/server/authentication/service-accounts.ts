import type { JWTPayload } from 'jose';
import { z } from 'zod';
import { Unauthenticated, Unavailable } from '../../shared/domain/errors.ts';
import { DNS_LABEL, DNS_SUBDOMAIN } from '../../shared/domain/kubernetes-names.ts';
import type { Principal } from '../../shared/domain/principal.ts';
import type { Secret } from '../../shared/domain/secret.ts';
import type { Authenticator, Credentials } from './authenticator.ts';
import { claimedIssuer, type TokenRules, verifyToken } from './verify-token.ts';

/** A service account of a cluster. */
export interface ServiceAccount {
  namespace: string;
  name: string;
}

/** A cluster whose service accounts may call. */
export interface TokenCluster {
  /** Ours for it; part of the principals' names. */
  name: string;
  /** Its `--service-account-issuer`. Clusters may share one: kubeadm gives all the same. */
  issuer: string;
  /** Whose the token is. Throws Unauthenticated, or Unavailable where that cannot be found out. */
  accountOf(token: Secret, now: number, call?: Pick<Credentials, 'sourceIp' | 'onProven'>): Promise<ServiceAccount>;
}

const USER_NAME = /^system:serviceaccount:([^:]+):([^:]+)$/;

/** Takes service accounts of clusters by their tokens, as projected into pods. */
export class ServiceAccounts implements Authenticator {
  readonly #clusters: readonly TokenCluster[];

  constructor(clusters: readonly TokenCluster[]) {
    this.#clusters = clusters;
  }

  async authenticate({ bearer, now, ...call }: Credentials): Promise<Principal | undefined> {
    const claimed = claimedIssuer(bearer);
    let refusal: unknown;
    for (const { name, issuer, accountOf } of this.#clusters) {
      if (bearer && issuer === claimed) {
        try {
          const account = await accountOf(bearer, now, call);
          return { kind: 'service-account', id: `${account.namespace}/${account.name}`, issuer: name, groups: [] };
        } catch (error) {
          // One that cannot say whether it is its token may say so later: the refusal of another is not the last word.
          refusal = error instanceof Unavailable ? error : (refusal ?? error);
        }
      }
    }
    if (refusal !== undefined) {
      throw refusal;
    }
    return undefined;
  }
}

/** Verifies tokens by the keys of their cluster alone. That a pod or an account is gone is seen only at the token's end. */
export function accountByKeys(rules: TokenRules): (token: Secret, now: number) => Promise<ServiceAccount> {
  return async (token, now) => accountNamed(await verifyToken(token, rules, now));
}

/** Whose token has these claims. Throws Unauthenticated. */
export function accountNamed({ sub }: JWTPayload): ServiceAccount {
  const account = parseUserName(sub);
  if (!account) {
    throw new Unauthenticated(
      'CREDENTIALS_INVALID',
      'the token is not accepted: it does not belong to a service account',
    );
  }
  return account;
}

export function isSameAccount(one: ServiceAccount, other: ServiceAccount): boolean {
  return one.namespace === other.namespace && one.name === other.name;
}

/** What Kubernetes calls a service account, as `sub` of its tokens and as user. */
export function parseUserName(name: unknown): ServiceAccount | undefined {
  const [, namespace, account] = USER_NAME.exec(z.string().catch('').parse(name)) ?? [];
  return DNS_LABEL.test(namespace ?? '') && DNS_SUBDOMAIN.test(account ?? '')
    ? { namespace: namespace ?? '', name: account ?? '' }
    : undefined;
}
