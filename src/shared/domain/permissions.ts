import type { ClusterCall } from './cluster-error.ts';
import { type Config, namespacesOf } from './config.ts';

/** A right that a config's token needs, in the terms of RBAC, and what it is for. */
export interface Permission {
  verb: ClusterCall['verb'] | 'bind';
  apiGroup: ClusterCall['apiGroup'];
  /** With its subresource: `serviceaccounts/token`. */
  resource: string;
  /** Left out: in the whole cluster. */
  namespace?: string | undefined;
  /** Left out: any object. */
  objectName?: string | undefined;
  purpose: string;
}

const RBAC = 'rbac.authorization.k8s.io';

/** Everything that leases on such a config need. */
export function requiredPermissions(credential: Config['credential']): Permission[] {
  if (credential.kind === 'static') {
    const { namespace, serviceAccount: objectName } = credential;
    return [
      {
        verb: 'get',
        apiGroup: '',
        resource: 'serviceaccounts',
        namespace,
        objectName,
        purpose: 'check that the service account exists',
      },
      {
        verb: 'create',
        apiGroup: '',
        resource: 'serviceaccounts/token',
        namespace,
        objectName,
        purpose: 'mint tokens of the service account',
      },
    ];
  }
  const { role, bindingScope } = credential;
  const bindings = bindingScope === 'cluster' ? 'clusterrolebindings' : 'rolebindings';
  const roles = role.kind === 'Role' ? 'roles' : 'clusterroles';
  const bindingPlaces = bindingScope === 'cluster' ? [undefined] : namespacesOf(credential);
  return [
    ...namespacesOf(credential).flatMap((namespace): Permission[] => [
      {
        verb: 'create',
        apiGroup: '',
        resource: 'serviceaccounts',
        namespace,
        purpose: "make a lease's service account",
      },
      {
        verb: 'delete',
        apiGroup: '',
        resource: 'serviceaccounts',
        namespace,
        purpose: "remove a lease's service account",
      },
      { verb: 'create', apiGroup: '', resource: 'serviceaccounts/token', namespace, purpose: "mint a lease's token" },
    ]),
    ...bindingPlaces.flatMap((namespace): Permission[] => [
      {
        verb: 'create',
        apiGroup: RBAC,
        resource: bindings,
        namespace,
        purpose: 'bind the role to the service account',
      },
      { verb: 'delete', apiGroup: RBAC, resource: bindings, namespace, purpose: 'remove that binding' },
      { verb: 'bind', apiGroup: RBAC, resource: roles, namespace, objectName: role.name, purpose: 'hand out the role' },
    ]),
  ];
}
