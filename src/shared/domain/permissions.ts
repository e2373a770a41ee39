import type { ClusterCall } from './cluster-error.ts';
import { type Config, type DynamicCredential, namespacesOf, type StaticCredential } from './config.ts';

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
  /** Leases do without it; only what it is for is not done. */
  optional?: boolean | undefined;
}

const RBAC = 'rbac.authorization.k8s.io';

/** Not asked for on Secrets, even as an option: to list Secrets is to read them. Who grants it has orphans found there too. */
const READ_BACK = 'find orphans that a store which lost its last writes has forgotten';

/**
 * Of the whole cluster, by name: a Role in the namespace would go with it. Where the namespace is deleted, nothing else
 * proves that a lease is over.
 */
function lookAtNamespace(objectName: string): Permission {
  const purpose = 'see that a deleted namespace is gone, and the leases in it with it';
  return { verb: 'get', apiGroup: '', resource: 'namespaces', objectName, purpose, optional: true };
}

const LOOK_AT_ROLE = 'see that the role exists and grants something';

/** Everything that leases on such a config need, and what is optional. */
export function permissionsFor(credential: Config['credential']): Permission[] {
  return credential.kind === 'static' ? staticPermissions(credential) : dynamicPermissions(credential);
}

function staticPermissions({ namespace, serviceAccount: objectName, revocable }: StaticCredential): Permission[] {
  const account = { apiGroup: '', namespace, objectName } as const;
  const secrets = { apiGroup: '', resource: 'secrets', namespace } as const;
  return [
    { ...account, verb: 'get', resource: 'serviceaccounts', purpose: 'check that the service account exists' },
    { ...account, verb: 'create', resource: 'serviceaccounts/token', purpose: 'mint tokens of the service account' },
    ...(revocable
      ? ([
          { ...secrets, verb: 'create', purpose: "make the Secret that a lease's token is bound to" },
          { ...secrets, verb: 'delete', purpose: 'end the token by removing that Secret' },
          lookAtNamespace(namespace),
        ] as const)
      : []),
  ];
}

function dynamicPermissions(credential: DynamicCredential): Permission[] {
  const { role, bindingScope } = credential;
  const bindings = bindingScope === 'cluster' ? 'clusterrolebindings' : 'rolebindings';
  const roles = role.kind === 'Role' ? 'roles' : 'clusterroles';
  const bindingPlaces = bindingScope === 'cluster' ? [undefined] : namespacesOf(credential);
  const rolePlaces = role.kind === 'ClusterRole' ? [undefined] : namespacesOf(credential);
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
      { verb: 'list', apiGroup: '', resource: 'serviceaccounts', namespace, purpose: READ_BACK, optional: true },
      lookAtNamespace(namespace),
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
      { verb: 'list', apiGroup: RBAC, resource: bindings, namespace, purpose: READ_BACK, optional: true },
      { verb: 'bind', apiGroup: RBAC, resource: roles, namespace, objectName: role.name, purpose: 'hand out the role' },
    ]),
    ...rolePlaces.map(
      (namespace): Permission => ({
        verb: 'get',
        apiGroup: RBAC,
        resource: roles,
        namespace,
        objectName: role.name,
        purpose: LOOK_AT_ROLE,
        optional: true,
      }),
    ),
  ];
}
