import type {
  AuthenticationV1TokenRequest,
  V1ClusterRoleBinding,
  V1DeleteOptions,
  V1RoleBinding,
  V1Secret,
  V1SelfSubjectAccessReview,
  V1ServiceAccount,
} from '@kubernetes/client-node';
import type { ClusterCall } from '../domain/cluster-error.ts';
import type { LeaseObject } from '../domain/lease.ts';
import type { Marks } from '../domain/marks.ts';
import type { Permission } from '../domain/permissions.ts';
import type { Place } from '../domain/places.ts';
import type { ObjectName, ServiceAccountName, TokenWish } from '../ports/cluster.ts';

const RBAC = 'rbac.authorization.k8s.io';

/** Where the objects of a place live in the API. */
export function resourceOf(place: Place): Omit<ClusterCall, 'verb' | 'name'> {
  switch (place.kind) {
    case 'ServiceAccount':
      return { apiGroup: '', resource: 'serviceaccounts', namespace: place.namespace };
    case 'Secret':
      return { apiGroup: '', resource: 'secrets', namespace: place.namespace };
    case 'RoleBinding':
      return { apiGroup: RBAC, resource: 'rolebindings', namespace: place.namespace };
    case 'ClusterRoleBinding':
      return { apiGroup: RBAC, resource: 'clusterrolebindings' };
  }
}

/** The body that creates an object. */
export function manifestOf(
  object: LeaseObject,
  account: ServiceAccountName,
  marks: Marks | undefined,
): V1ServiceAccount | V1Secret | V1RoleBinding | V1ClusterRoleBinding {
  const { kind } = object;
  const metadata = { name: object.name, ...marks };
  switch (kind) {
    case 'ServiceAccount':
      // Nobody runs pods under a lease; without this, pods that name the account would be given its token.
      return { apiVersion: 'v1', kind, metadata, automountServiceAccountToken: false };
    case 'Secret':
      // It holds nothing: a token is bound to its being there.
      return { apiVersion: 'v1', kind, metadata, type: 'Opaque', immutable: true };
    default:
      return {
        apiVersion: `${RBAC}/v1`,
        kind,
        metadata,
        roleRef: { apiGroup: RBAC, kind: object.role.kind, name: object.role.name },
        subjects: [{ kind: 'ServiceAccount', namespace: account.namespace, name: account.name }],
      };
  }
}

/** The body of a TokenRequest. */
export function tokenRequest({ audiences, seconds, boundTo }: TokenWish): Partial<AuthenticationV1TokenRequest> {
  return {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    spec: {
      audiences: [...audiences],
      expirationSeconds: seconds,
      ...(boundTo ? { boundObjectRef: { apiVersion: 'v1', kind: 'Secret', ...boundTo } } : {}),
    },
  };
}

/** The body of a delete: only the object that we made, where we know its uid. */
export function deleteOptions(object: ObjectName): V1DeleteOptions {
  return {
    apiVersion: 'v1',
    kind: 'DeleteOptions',
    propagationPolicy: 'Background',
    ...(object.uid === undefined ? {} : { preconditions: { uid: object.uid } }),
  };
}

/** The body that asks whether our own token may do something. */
export function accessReview(permission: Permission): V1SelfSubjectAccessReview {
  const [resource, subresource] = permission.resource.split('/');
  return {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SelfSubjectAccessReview',
    spec: {
      resourceAttributes: {
        verb: permission.verb,
        group: permission.apiGroup,
        ...(resource === undefined ? {} : { resource }),
        ...(subresource === undefined ? {} : { subresource }),
        ...(permission.namespace === undefined ? {} : { namespace: permission.namespace }),
        ...(permission.objectName === undefined ? {} : { name: permission.objectName }),
      },
    },
  };
}
