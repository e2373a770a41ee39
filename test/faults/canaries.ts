import { v7 as uuidv7 } from 'uuid';
import type { Admin } from '../support/admin.ts';

/** Objects beside those of leases that nobody may touch. */
export interface Canaries {
  /** How many are gone, or are no longer the same. */
  countTouched(): Promise<number>;
}

const LONG_AGO = '2020-01-01T00:00:00Z';

/** A stranger's, one that is only named like ours, and one of another installation, each a service account and a binding. */
export async function plantCanaries(admin: Admin, namespace: string): Promise<Canaries> {
  const lease = uuidv7();
  const ofOtherInstallation = {
    labels: {
      'app.kubernetes.io/managed-by': 'leasehold',
      'leasehold.dev/installation': 'canary',
      'leasehold.dev/lease': lease,
      'leasehold.dev/config': 'dynamic',
    },
    annotations: { 'leasehold.dev/expires-at': LONG_AGO },
  };
  const planted = [
    { name: 'canary' },
    { name: `leasehold-${uuidv7()}` },
    { name: `leasehold-${lease}`, ...ofOtherInstallation },
  ];
  for (const metadata of planted) {
    await admin.core.createNamespacedServiceAccount({ namespace, body: { metadata } });
    await admin.rbac.createNamespacedRoleBinding({
      namespace,
      body: {
        metadata,
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' },
        subjects: [{ kind: 'ServiceAccount', namespace, name: metadata.name }],
      },
    });
  }
  const names = new Set(planted.map(({ name }) => name));

  async function versions(): Promise<string[]> {
    const [accounts, bindings] = await Promise.all([
      admin.core.listNamespacedServiceAccount({ namespace }),
      admin.rbac.listNamespacedRoleBinding({ namespace }),
    ]);
    return [...accounts.items, ...bindings.items]
      .filter(({ metadata }) => names.has(metadata?.name ?? ''))
      .map(({ metadata }) => `${metadata?.uid} ${metadata?.resourceVersion}`);
  }

  const before = await versions();
  return {
    async countTouched() {
      const now = new Set(await versions());
      return before.filter((version) => !now.has(version)).length;
    },
  };
}
