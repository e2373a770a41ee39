import { type Config, namespacesOf } from './config.ts';

/** Where objects of one kind stand. */
export type Place =
  | { kind: 'ServiceAccount' | 'RoleBinding' | 'Secret'; namespace: string }
  | { kind: 'ClusterRoleBinding' };

/** Everywhere that leases on such a config have objects. */
export function placesOf(credential: Config['credential']): Place[] {
  if (credential.kind === 'static') {
    return credential.revocable ? [{ kind: 'Secret', namespace: credential.namespace }] : [];
  }
  const namespaces = namespacesOf(credential);
  const bindings: Place[] =
    credential.bindingScope === 'cluster'
      ? [{ kind: 'ClusterRoleBinding' }]
      : namespaces.map((namespace) => ({ kind: 'RoleBinding', namespace }));
  return [...namespaces.map((namespace): Place => ({ kind: 'ServiceAccount', namespace })), ...bindings];
}
