import { ApiException, type V1ObjectMeta } from '@kubernetes/client-node';
import type { LeaseObject } from '../../src/shared/domain/lease.ts';
import type { Outsider } from '../contract/cluster.ts';
import type { Admin } from './admin.ts';

/** What somebody else than Leasehold does and sees in a namespace of the real cluster. */
export function outsiderIn(admin: Admin, namespace: string): Outsider {
  return {
    async makeAccount(name) {
      const made = await admin.core.createNamespacedServiceAccount({ namespace, body: { metadata: { name } } });
      return made.metadata?.uid ?? '';
    },

    async look(object) {
      const metadata = await unlessGone(read(admin, object));
      return (
        metadata && { uid: metadata.uid ?? '', labels: metadata.labels ?? {}, annotations: metadata.annotations ?? {} }
      );
    },

    async setFinalizers({ name }, finalizers) {
      const binding = await admin.rbac.readNamespacedRoleBinding({ namespace, name });
      const body = { ...binding, metadata: { ...binding.metadata, finalizers } };
      await admin.rbac.replaceNamespacedRoleBinding({ namespace, name, body });
    },
  };
}

async function read({ core, rbac }: Admin, object: LeaseObject): Promise<V1ObjectMeta | undefined> {
  switch (object.kind) {
    case 'ServiceAccount':
      return (await core.readNamespacedServiceAccount(object)).metadata;
    case 'Secret':
      return (await core.readNamespacedSecret(object)).metadata;
    case 'RoleBinding':
      return (await rbac.readNamespacedRoleBinding(object)).metadata;
    case 'ClusterRoleBinding':
      return (await rbac.readClusterRoleBinding(object)).metadata;
  }
}

async function unlessGone<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof ApiException && error.code === 404) {
      return undefined;
    }
    throw error;
  }
}
