import { z } from 'zod';
import { type ClusterCall, ClusterUnreachable } from '../domain/cluster-error.ts';
import type { LeaseObject } from '../domain/lease.ts';
import { parseJson } from '../domain/parse-json.ts';
import type { Secret } from '../domain/secret.ts';
import type { ServiceAccountName, TokenWish } from '../ports/cluster.ts';

/** Names and IDs in answers, in characters: what is longer is not from an API server. */
export const shortText = z.string().min(1).max(320);

/** The answer as the schema has it. Throws ClusterUnreachable where it is not what was asked for. */
export function readAnswer<T>(call: ClusterCall, schema: z.ZodType<T>, answer: unknown): T {
  const parsed = schema.safeParse(answer);
  if (!parsed.success) {
    throw new ClusterUnreachable(call, 'its answer is not what the Kubernetes API promises', { cause: parsed.error });
  }
  return parsed.data;
}

/** What an answer says of whom it is about; it need not say so, but it must not be about another. */
function metadataOf(named: { name: string; namespace?: string | undefined }) {
  return z.object({
    name: z.literal(named.name).optional(),
    namespace: named.namespace === undefined ? z.undefined().optional() : z.literal(named.namespace).optional(),
  });
}

/** Instead of an object, a Status would say that something went wrong. */
const notStatus = z
  .string()
  .refine((kind) => kind !== 'Status')
  .optional();

/** The answer that confirms that this object was made. */
export function createdObject(object: LeaseObject) {
  return z.object({ kind: notStatus, metadata: metadataOf(object).extend({ uid: shortText }) });
}

/** The answer that confirms that there is this account. */
export function foundAccount(account: ServiceAccountName) {
  return z.object({ kind: notStatus, metadata: metadataOf(account).optional() });
}

/** The answer that holds a token of this account. One that is not bound as it was asked for would outlive its lease. */
export function mintedToken(account: ServiceAccountName, { boundTo }: TokenWish) {
  const boundObjectRef = boundTo && z.object({ kind: z.literal('Secret'), uid: z.literal(boundTo.uid) });
  return z.object({
    kind: notStatus,
    metadata: metadataOf(account).optional(),
    spec: boundObjectRef ? z.object({ boundObjectRef }).optional() : z.unknown().optional(),
    status: z.object({
      token: z.string().min(1),
      expirationTimestamp: z.iso.datetime({ offset: true }),
    }),
  });
}

const Subject = z.object({ sub: z.string() });

/** Whether a token says itself that it is of another account. */
export function isOfAnotherAccount(token: Secret, { namespace, name }: ServiceAccountName): boolean {
  const [, payload = ''] = token.reveal().split('.');
  const claims = Subject.safeParse(parseJson(Buffer.from(payload, 'base64url').toString()));
  return claims.success && claims.data.sub !== `system:serviceaccount:${namespace}:${name}`;
}
