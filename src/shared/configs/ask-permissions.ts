import pLimit from 'p-limit';
import { v7 as uuidv7 } from 'uuid';
import { ClusterRefused, ClusterUnreachable } from '../domain/cluster-error.ts';
import type { Permission } from '../domain/permissions.ts';
import type { Place } from '../domain/places.ts';
import type { Reason } from '../domain/reasons.ts';
import { listed } from '../domain/shorten.ts';
import type { Cluster, Verdict } from '../ports/cluster.ts';

/** Questions to one cluster at the same time. */
const QUESTIONS_AT_ONCE = 8;

export interface Answer extends Permission, Verdict {
  /**
   * The cluster does not answer such questions. What can be tried without changing anything was; the rest counts as
   * allowed.
   */
  isUnasked?: boolean;
}

/**
 * Asks the cluster what the token may do; one that does not answer the first question is not asked the others. Throws a
 * ClusterError where the token is not let in, or nothing is answered at all.
 */
export async function askPermissions(cluster: Cluster, permissions: readonly Permission[]): Promise<Answer[]> {
  const [first, ...others] = permissions;
  if (!first) {
    return [];
  }
  const limit = pLimit(QUESTIONS_AT_ONCE);
  const answer = await ask(cluster, first);
  const next = answer.isUnasked ? tryOut : ask;
  return [answer, ...(await Promise.all(others.map((permission) => limit(() => next(cluster, permission)))))];
}

async function ask(cluster: Cluster, permission: Permission): Promise<Answer> {
  try {
    return { ...permission, ...(await cluster.canI(permission)) };
  } catch (error) {
    if (!isNoAnswer(error)) {
      throw error;
    }
    return tryOut(cluster, permission);
  }
}

/**
 * A cluster may not serve SelfSubjectAccessReviews, or not let everybody ask; and a webhook for all that is created
 * denies them, fails or hangs, as for anything else.
 */
function isNoAnswer(error: unknown): boolean {
  if (!(error instanceof ClusterRefused)) {
    return error instanceof ClusterUnreachable;
  }
  switch (error.reason) {
    case 'CLUSTER_UNAUTHENTICATED':
    case 'CLUSTER_OVERLOADED':
      return false;
    case 'CLUSTER_BROKEN':
      // What stands before an API server gives no reason.
      return error.refusal.reason !== '';
    default:
      return true;
  }
}

/** Admission comes after authorization: what it refuses, the token may do. */
const OF_ADMISSION: ReadonlySet<Reason> = new Set([
  'CLUSTER_WEBHOOK_DENIED',
  'CLUSTER_WEBHOOK_FAILED',
  'CLUSTER_POLICY_DENIED',
  'CLUSTER_ADMISSION_DENIED',
]);

const UNASKED = 'counts as allowed: the cluster does not answer SelfSubjectAccessReviews of this token';

async function tryOut(cluster: Cluster, permission: Permission): Promise<Answer> {
  const { verb, resource, namespace, objectName } = permission;
  try {
    if (verb === 'delete') {
      // There is no such object: whoever may not is refused before anybody looks for it.
      await cluster.remove({ ...placeOf(permission), name: `leasehold-${uuidv7()}` });
    } else if (
      verb === 'get' &&
      resource === 'serviceaccounts' &&
      namespace !== undefined &&
      objectName !== undefined
    ) {
      await cluster.readServiceAccount({ namespace, name: objectName });
    }
  } catch (error) {
    if (!(error instanceof ClusterRefused)) {
      throw error;
    }
    if (error.reason === 'CLUSTER_FORBIDDEN') {
      return { ...permission, allowed: false, reason: error.refusal.message, isUnasked: true };
    }
    if (error.refusal.reason !== 'NotFound' && !OF_ADMISSION.has(error.reason)) {
      throw error;
    }
  }
  return { ...permission, allowed: true, reason: UNASKED, isUnasked: true };
}

const KINDS: Readonly<Record<string, 'ServiceAccount' | 'Secret' | 'RoleBinding'>> = {
  serviceaccounts: 'ServiceAccount',
  secrets: 'Secret',
  rolebindings: 'RoleBinding',
};

function placeOf({ resource, namespace }: Permission): Place {
  const kind = KINDS[resource];
  return namespace === undefined || kind === undefined ? { kind: 'ClusterRoleBinding' } : { kind, namespace };
}

/** Throws ClusterRefused where something is lacking; what could not be taken down counts most. */
export function refuseLacking(lacking: readonly (Permission & Verdict)[]): void {
  const byWeight = lacking.toSorted((one, other) => Number(other.verb === 'delete') - Number(one.verb === 'delete'));
  const [first, ...others] = byWeight;
  if (first) {
    throw new ClusterRefused(callOf(first), {
      status: 403,
      message: [
        `the cluster token cannot ${first.verb} resource "${first.resource}"${first.reason && `: ${first.reason}`}`,
        ...(others.length > 0 ? [`it also lacks ${listed(others.map(describe))}`] : []),
      ].join('; '),
      reason: 'Forbidden',
      objectName: '',
      retryAfterMs: undefined,
    });
  }
}

/** The call that is kept from being made. */
function callOf({ verb, apiGroup, resource, namespace }: Permission) {
  const where = namespace === undefined ? {} : { namespace };
  return { verb: verb === 'bind' ? ('create' as const) : verb, apiGroup, resource, ...where };
}

function describe({ verb, resource, namespace }: Permission): string {
  return `${verb} ${resource}${namespace === undefined ? '' : ` in ${namespace}`}`;
}
