import type { V1Status, V1StatusDetails } from '@kubernetes/client-node';

// What API servers write, word by word: k8s.io/apimachinery/pkg/api/errors/errors.go and the files that are named below.

/** A resource as the messages name it, and its parts as the details do. */
export interface Resource {
  group: string;
  resource: string;
  kind: string;
}

export const SERVICE_ACCOUNTS: Resource = { group: '', resource: 'serviceaccounts', kind: 'ServiceAccount' };
export const ROLE_BINDINGS: Resource = {
  group: 'rbac.authorization.k8s.io',
  resource: 'rolebindings',
  kind: 'RoleBinding',
};

export function failure(code: number, reason: string, message: string, details?: V1StatusDetails): V1Status {
  return { kind: 'Status', apiVersion: 'v1', status: 'Failure', code, reason, message, ...(details && { details }) };
}

/** NewNotFound. */
export function notFound({ group, resource }: Resource, name: string): V1Status {
  return failure(404, 'NotFound', `${qualified(resource, group)} "${name}" not found`, { name, group, kind: resource });
}

/** NewConflict of k8s.io/apiserver/pkg/registry/rest/delete.go, which puts the kind in the place of the resource. */
export function otherUid({ group, kind }: Resource, name: string, uids: { asked: string; found: string }): V1Status {
  const why = `the UID in the precondition (${uids.asked}) does not match the UID in record (${uids.found}). The object might have been deleted and then recreated`;
  return conflict(kind, group, name, why);
}

/** The same in the transaction: k8s.io/apiserver/pkg/storage/interfaces.go and storage/errors/storage.go. */
export function otherUidInTransaction(
  { group, resource }: Resource,
  name: string,
  uids: { asked: string; found: string },
): V1Status {
  const why = `StorageError: invalid object, Code: 4, Key: /registry/${resource}/team/${name}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: ${uids.asked}, UID in object meta: ${uids.found}`;
  return conflict(resource, group, name, why);
}

/** NewForbidden. */
export function forbidden({ group, resource }: Resource, name: string, why: string): V1Status {
  const about = name === '' ? '' : ` "${name}"`;
  const details = { ...(name && { name }), group, kind: resource };
  return failure(403, 'Forbidden', `${qualified(resource, group)}${about} is forbidden: ${why}`, details);
}

/** k8s.io/apiserver/pkg/admission/plugin/policy/validating/dispatcher.go, at the end of Dispatch. */
export function deniedByPolicy(resource: Resource, name: string, reason = 'Invalid', code = 422): V1Status {
  const why = "ValidatingAdmissionPolicy 'no-leases' with binding 'no-leases' denied request: no leases here";
  const status = forbidden(resource, name, why);
  return { ...status, reason, code, details: { ...status.details, causes: [{ message: why }] } };
}

function conflict(resource: string, group: string, name: string, why: string): V1Status {
  const message = `Operation cannot be fulfilled on ${qualified(resource, group)} "${name}": ${why}`;
  return failure(409, 'Conflict', message, { name, group, kind: resource });
}

function qualified(resource: string, group: string): string {
  return group === '' ? resource : `${resource}.${group}`;
}
