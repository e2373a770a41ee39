import { z } from 'zod';
import { type ClusterCall, ClusterNotDone, ClusterRefused, ClusterUnreachable } from '../domain/cluster-error.ts';
import type { Refusal } from '../domain/refusal.ts';
import type { ObjectName } from '../ports/cluster.ts';
import { resourceOf } from './manifests.ts';
import { readAnswer, shortText } from './read-answer.ts';

// When a delete counts: only by the API server's own word that our object is gone. Whatever stands in front of it, or is
// asked by it (an admission webhook chooses code, reason and details of its refusal), may say the same of an object that
// stays, and a lease that ended on such a word would leave its account behind.

/** They are named in an error, which must not be long. */
const MAX_FINALIZERS = 16;

/**
 * A Status, or the object as it was at its end. The details of a Status have the resource as their kind
 * (k8s.io/apiserver/pkg/registry/generic/registry/store.go, finalizeDelete), or the kind (endpoints/handlers/delete.go).
 */
const DeleteAnswer = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('Status'),
    status: z.literal('Success'),
    code: z.literal(200).optional(),
    message: z.literal('').optional(),
    reason: z.literal('').optional(),
    details: z
      .object({
        name: shortText.optional(),
        kind: shortText.optional(),
        group: shortText.optional(),
        uid: shortText.optional(),
      })
      .default({}),
  }),
  z.object({
    kind: z.enum(['ServiceAccount', 'Secret', 'RoleBinding', 'ClusterRoleBinding']),
    metadata: z.object({
      name: shortText,
      namespace: shortText.optional(),
      uid: shortText,
      finalizers: z.array(shortText).max(MAX_FINALIZERS).default([]),
      deletionTimestamp: shortText.optional(),
      deletionGracePeriodSeconds: z.number().optional(),
    }),
  }),
]);
type DeleteAnswer = z.infer<typeof DeleteAnswer>;

/** Throws a ClusterError where the answer of a delete that succeeded does not say that our object is gone. */
export function requireGone(call: ClusterCall, object: ObjectName, answer: unknown): void {
  const said = readAnswer(call, DeleteAnswer, answer);
  if (!isAbout(object, said)) {
    throw new ClusterUnreachable(call, 'its answer is about another object than the one to delete');
  }
  if (said.kind === 'Status') {
    return;
  }
  // A deleted object with finalizers stays, and goes on to work, until they are done.
  const { finalizers, deletionTimestamp, deletionGracePeriodSeconds } = said.metadata;
  if (finalizers.length > 0) {
    throw new ClusterNotDone(call, `it is still there, because it waits for its finalizers: ${finalizers.join(', ')}`);
  }
  if (deletionTimestamp !== undefined && deletionGracePeriodSeconds !== 0) {
    throw new ClusterNotDone(call, 'it is still there, because its grace period is not over');
  }
}

function isAbout(object: ObjectName, said: DeleteAnswer): boolean {
  const { apiGroup, resource } = resourceOf(object);
  const { name = object.name, uid } = said.kind === 'Status' ? said.details : said.metadata;
  if (name !== object.name || (object.uid ?? uid) !== (uid ?? object.uid)) {
    return false;
  }
  if (said.kind === 'Status') {
    const { kind = resource, group = apiGroup } = said.details;
    return [resource, object.kind].includes(kind) && group === apiGroup;
  }
  const { namespace = namespaceOf(object) } = said.metadata;
  return said.kind === object.kind && namespace === namespaceOf(object);
}

function namespaceOf(object: ObjectName): string | undefined {
  return 'namespace' in object ? object.namespace : undefined;
}

/** Whether the refusal of a delete is the API server's own word that our object is not there. */
export function isGone(object: ObjectName, error: unknown): boolean {
  if (!(error instanceof ClusterRefused)) {
    return false;
  }
  const named = { ...resourceOf(object), name: object.name };
  return isNotFound(named, error.refusal) || isOfAnother(object, error.refusal);
}

/** What a refusal may be about. */
type Named = Pick<ClusterCall, 'apiGroup' | 'resource'> & { name: string };

/**
 * Whether it is the API server's own word that there is no such object. The message is compared as a whole, as NewNotFound of k8s.io/apimachinery writes it: the API server puts words of its own
 * before what a webhook or a policy says (k8s.io/apiserver/pkg/admission/plugin/webhook/errors/statuserror.go), so that
 * theirs cannot be equal.
 */
export function isNotFound(named: Named, refusal: Refusal): boolean {
  const { apiGroup, resource, name } = named;
  const message = `${qualified(resource, apiGroup)} "${name}" not found`;
  return isStatus(refusal, 404, 'NotFound') && isNamed(named, refusal, [resource]) && refusal.message === message;
}

const UID = String.raw`([\w-]{1,64})`;

/**
 * The two ways to say that a delete's uid is not that of the object: before the transaction, with the kind in the place
 * of the resource (k8s.io/apiserver/pkg/registry/rest/delete.go, BeforeDelete), and in it
 * (k8s.io/apiserver/pkg/storage/interfaces.go, Preconditions.Check). Kubernetes 1.20 and 1.36 have the same.
 */
const OTHER_UID = [
  `the UID in the precondition \\(${UID}\\) does not match the UID in record \\(${UID}\\)\\. The object might have been deleted and then recreated`,
  `(?:StorageError: invalid object, Code: \\d+, Key: [^, ]+, ResourceVersion: \\d+, AdditionalErrorMsg: )?Precondition failed: UID in precondition: ${UID}, UID in object meta: ${UID}`,
].map((words) => new RegExp(`^${words}$`));

function isOfAnother(object: ObjectName, refusal: Refusal): boolean {
  const { apiGroup, resource } = resourceOf(object);
  const named = { apiGroup, resource, name: object.name };
  if (!isStatus(refusal, 409, 'Conflict') || !isNamed(named, refusal, [resource, object.kind])) {
    return false;
  }
  const before = `Operation cannot be fulfilled on ${qualified(refusal.objectKind ?? '', apiGroup)} "${object.name}": `;
  const words = refusal.message.startsWith(before) ? refusal.message.slice(before.length) : '';
  const [, asked, found] = OTHER_UID.map((pattern) => pattern.exec(words)).find((match) => match !== null) ?? [];
  return asked !== undefined && asked === object.uid && found !== asked;
}

function isStatus({ status, code, reason }: Refusal, wantedStatus: number, wantedReason: string): boolean {
  return status === wantedStatus && code === wantedStatus && reason === wantedReason;
}

function isNamed({ apiGroup, name }: Named, refusal: Refusal, kinds: string[]): boolean {
  const { objectName, objectKind = '', objectGroup = '' } = refusal;
  return objectName === name && kinds.includes(objectKind) && objectGroup === apiGroup;
}

/** GroupResource.String of k8s.io/apimachinery. */
function qualified(resource: string, group: string): string {
  return group === '' ? resource : `${resource}.${group}`;
}
