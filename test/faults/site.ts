import { inject } from 'vitest';
import type { DirectAccess } from '../../src/shared/domain/config.ts';
import { Secret } from '../../src/shared/domain/secret.ts';
import { Admin, READ_PODS } from '../support/admin.ts';
import { createRequester, DYNAMIC_RULES } from '../support/seed-rbac.ts';
import { type Canaries, plantCanaries } from './canaries.ts';

/** A control plane and a Redis for the faults of one file, and what leases are issued on. */
export interface Site {
  admin: Admin;
  redisUrl: string;
  namespace: string;
  /** A service account that exists, for static leases. */
  serviceAccount: string;
  /** ClusterRole that dynamic leases grant. */
  role: string;
  access: Omit<DirectAccess, 'id' | 'configUid'> & { gateway: undefined };
  canaries: Canaries;
}

/** What the sweep and revocable static leases need beyond the seed's manifest. */
const FURTHER_RULES = [
  { apiGroups: [''], resources: ['serviceaccounts'], verbs: ['list'] },
  { apiGroups: ['rbac.authorization.k8s.io'], resources: ['rolebindings'], verbs: ['list', 'bind'] },
  { apiGroups: [''], resources: ['secrets'], verbs: ['create', 'delete', 'list'] },
];

export interface ClusterAndStore {
  url: string;
  caPem: string;
  adminToken: string;
  redisUrl: string;
}

/** Prepares a cluster for leases. By default the shared one, and the shared Redis. */
export async function openSite(at: Partial<ClusterAndStore> = {}): Promise<Site> {
  const { url, caPem, adminToken, redisUrl } = { ...inject('controlPlane'), redisUrl: inject('redisUrl'), ...at };
  const admin = new Admin({ url, caPem }, adminToken);
  const namespace = await admin.createNamespace('faults');
  const { name: serviceAccount } = await admin.createServiceAccount(namespace, 'reader');
  const role = await admin.createClusterRole([READ_PODS]);
  const requester = await createRequester(admin, namespace, [...DYNAMIC_RULES, ...FURTHER_RULES]);
  await admin.bindClusterRole(role, requester.account);
  await admin.waitUntilMay(requester.account, { verb: 'list', resource: 'pods', namespace });
  const access = {
    kind: 'direct' as const,
    renewToken: false,
    gateway: undefined,
    url,
    tls: { caPem, insecureSkipVerify: false, serverName: undefined },
    token: new Secret(requester.token),
  };
  const canaries = await plantCanaries(admin, namespace);
  return { admin, redisUrl, namespace, serviceAccount, role, access, canaries };
}
