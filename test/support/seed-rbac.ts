import { randomUUID } from 'node:crypto';
import type { V1PolicyRule } from '@kubernetes/client-node';
import type { Account, Admin } from './admin.ts';

// The manifests that the seed (Infisical's documentation of Kubernetes dynamic secrets) tells people to apply, rule for
// rule: the account that Leasehold uses in the tests holds exactly these.

/** ClusterRole `tokenrequest` of "Static Credentials". */
export const STATIC_RULES: readonly V1PolicyRule[] = [
  { apiGroups: [''], resources: ['serviceaccounts/token', 'serviceaccounts'], verbs: ['create', 'get'] },
];

/** ClusterRole `tokenrequest` of "Dynamic Credentials". */
export const DYNAMIC_RULES: readonly V1PolicyRule[] = [
  { apiGroups: [''], resources: ['serviceaccounts/token', 'serviceaccounts'], verbs: ['create', 'get', 'delete'] },
  {
    apiGroups: ['rbac.authorization.k8s.io'],
    resources: ['rolebindings', 'clusterrolebindings'],
    verbs: ['create', 'delete'],
  },
];

/** What a revocable static credential needs besides. */
export const REVOCABLE_RULES: readonly V1PolicyRule[] = [
  { apiGroups: [''], resources: ['secrets'], verbs: ['create', 'delete'] },
];

/** What reading the cluster back needs besides. */
export const READ_BACK_RULES: readonly V1PolicyRule[] = [
  { apiGroups: [''], resources: ['serviceaccounts', 'secrets'], verbs: ['list'] },
  { apiGroups: ['rbac.authorization.k8s.io'], resources: ['rolebindings', 'clusterrolebindings'], verbs: ['list'] },
];

/** A service account and a token of it. */
export interface AccountWithToken {
  account: Account;
  token: string;
}

/** The service account that Leasehold uses: itself by its token, or its gateway. */
export interface Requester extends AccountWithToken {
  /** The ClusterRole with its rules: tests take some away. */
  clusterRole: string;
}

/** Applies one of the seed's manifests for a fresh service account. */
export async function createRequester(
  admin: Admin,
  namespace: string,
  rules: readonly V1PolicyRule[],
): Promise<Requester> {
  const account = await admin.createServiceAccount(namespace, `token-requester-${randomUUID().slice(0, 8)}`);
  const clusterRole = await admin.createClusterRole([...rules]);
  await admin.bindClusterRole(clusterRole, account);
  await admin.waitUntilMay(account, { verb: 'create', resource: 'serviceaccounts', subresource: 'token' });
  return { account, clusterRole, token: await admin.mintToken(account) };
}

/** The seed's second binding: an account can hand out only a role that it holds itself. The tests' roles read pods. */
export async function createDynamicRequester(
  admin: Admin,
  namespace: string,
  handedOut: { clusterRole: string } | { role: string; namespaces: string[] },
  moreRules: readonly V1PolicyRule[] = [],
): Promise<Requester> {
  const requester = await createRequester(admin, namespace, [...DYNAMIC_RULES, ...moreRules]);
  if ('clusterRole' in handedOut) {
    await admin.bindClusterRole(handedOut.clusterRole, requester.account);
    await admin.waitUntilMay(requester.account, { verb: 'list', resource: 'pods' });
  } else {
    for (const namespace of handedOut.namespaces) {
      await admin.bindRole(namespace, handedOut.role, requester.account);
      await admin.waitUntilMay(requester.account, { verb: 'list', resource: 'pods', namespace });
    }
  }
  return requester;
}
