import { z } from 'zod';
import { LABEL_VALUE } from '../shared/domain/kubernetes-names.ts';
import { MAX_TOKEN_SECONDS } from '../shared/domain/ttl.ts';

/** An object of a lease. */
export const LEASE_OBJECT = /^leasehold-[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/;

/** One that is only rehearsed. */
const REHEARSED_OBJECT = /^leasehold-(?:check-)?[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/;

const RBAC = 'rbac.authorization.k8s.io';

// Every object is strict: a field that is not named here is refused, and what it would do need not be known.

const label = z.string().regex(LABEL_VALUE).optional();

const metadata = z.strictObject({
  name: z.string().regex(LEASE_OBJECT),
  labels: z
    .strictObject({
      'app.kubernetes.io/managed-by': z.literal('leasehold'),
      'leasehold.dev/installation': label,
      'leasehold.dev/lease': label,
      'leasehold.dev/config': label,
    })
    .optional(),
  annotations: z.strictObject({ 'leasehold.dev/expires-at': z.iso.datetime() }).optional(),
});

/** An account of a lease. Pods that name it are not given its token. */
export const serviceAccount = z.strictObject({
  apiVersion: z.literal('v1'),
  kind: z.literal('ServiceAccount'),
  metadata,
  automountServiceAccountToken: z.literal(false),
});

/** An empty Secret that a token is bound to. Of type service-account-token it would be filled with one. */
export const secret = z.strictObject({
  apiVersion: z.literal('v1'),
  kind: z.literal('Secret'),
  metadata,
  type: z.literal('Opaque'),
  immutable: z.literal(true),
});

const role = z.strictObject({
  apiGroup: z.literal(RBAC),
  kind: z.enum(['Role', 'ClusterRole']),
  name: z.string().min(1),
});

const subject = (namespace: z.ZodType, name: RegExp) =>
  z.tuple([z.strictObject({ kind: z.literal('ServiceAccount'), namespace, name: z.string().regex(name) })]);

const binding = {
  apiVersion: z.literal(`${RBAC}/v1`),
  metadata,
  // Which roles may be handed out is said by RBAC: the gateway's account holds the verb `bind` on them alone.
  roleRef: role,
};

const rehearsed = { metadata: z.strictObject({ name: z.string().regex(REHEARSED_OBJECT) }) };

const anywhere = z.string().min(1);

/** Binds an account of a lease, and nobody else; one of its own namespace, as leases have it: others may belong to others. */
export const roleBinding = (namespace: string) =>
  z.strictObject({
    ...binding,
    kind: z.literal('RoleBinding'),
    subjects: subject(z.literal(namespace), LEASE_OBJECT),
  });
export const clusterRoleBinding = z.strictObject({
  ...binding,
  kind: z.literal('ClusterRoleBinding'),
  subjects: subject(anywhere, LEASE_OBJECT),
});

/** A binding that is not kept (dryRun). */
export const rehearsedRoleBinding = (namespace: string) =>
  roleBinding(namespace).extend({ ...rehearsed, subjects: subject(z.literal(namespace), REHEARSED_OBJECT) });
export const rehearsedClusterRoleBinding = clusterRoleBinding.extend({
  ...rehearsed,
  subjects: subject(anywhere, REHEARSED_OBJECT),
});

/** A token of any account, which RBAC bounds; bound to nothing but a Secret of a lease. */
export const tokenRequest = z.strictObject({
  apiVersion: z.literal('authentication.k8s.io/v1'),
  kind: z.literal('TokenRequest'),
  spec: z.strictObject({
    audiences: z.array(z.string()),
    expirationSeconds: z.int().positive().max(MAX_TOKEN_SECONDS),
    boundObjectRef: z
      .strictObject({
        apiVersion: z.literal('v1'),
        kind: z.literal('Secret'),
        name: z.string().regex(LEASE_OBJECT),
        uid: z.string().min(1),
      })
      .optional(),
  }),
});

export const deleteOptions = z.strictObject({
  apiVersion: z.literal('v1'),
  kind: z.literal('DeleteOptions'),
  propagationPolicy: z.literal('Background'),
  preconditions: z.strictObject({ uid: z.string().min(1) }).optional(),
});

/** What the gateway's own account may do. It is only a question, about whatever. */
export const accessReview = z.strictObject({
  apiVersion: z.literal('authorization.k8s.io/v1'),
  kind: z.literal('SelfSubjectAccessReview'),
  spec: z.strictObject({
    resourceAttributes: z.strictObject({
      verb: z.string(),
      group: z.string(),
      resource: z.string().optional(),
      subresource: z.string().optional(),
      namespace: z.string().optional(),
      name: z.string().optional(),
    }),
  }),
});
