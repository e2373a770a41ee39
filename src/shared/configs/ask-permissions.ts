import pLimit from 'p-limit';
import { v7 as uuidv7 } from 'uuid';
import { ClusterRefused } from '../domain/cluster-error.ts';
import type { Permission } from '../domain/permissions.ts';
import type { Place } from '../domain/places.ts';
import type { Cluster, Verdict } from '../ports/cluster.ts';
import { listed } from './listed.ts';

/** Questions to one cluster at the same time. */
const QUESTIONS_AT_ONCE = 8;

/** A cluster may not serve SelfSubjectAccessReviews, or not let everybody ask. */
const NOT_ANSWERED = [403, 404, 405];

export interface Answer extends Permission, Verdict {
  /** The cluster does not answer such questions; `allowed` then counts only for deletes, which are tried instead. */
  isUnasked?: boolean;
}

/** Asks the cluster what the token may do. Throws a ClusterError where it is not let in or cannot be asked now. */
export async function askPermissions(cluster: Cluster, permissions: readonly Permission[]): Promise<Answer[]> {
  const limit = pLimit(QUESTIONS_AT_ONCE);
  return Promise.all(permissions.map((permission) => limit(() => ask(cluster, permission))));
}

async function ask(cluster: Cluster, permission: Permission): Promise<Answer> {
  try {
    return { ...permission, ...(await cluster.mayI(permission)) };
  } catch (error) {
    if (!(error instanceof ClusterRefused) || !NOT_ANSWERED.includes(error.refusal.status)) {
      throw error;
    }
    const isDelete = permission.verb === 'delete';
    const verdict = isDelete ? await mayRemove(cluster, placeOf(permission)) : { allowed: true, reason: '' };
    return { ...permission, ...verdict, isUnasked: true };
  }
}

/** Removes what is not there: whoever may not is refused before anybody looks for it. */
async function mayRemove(cluster: Cluster, place: Place): Promise<Verdict> {
  try {
    await cluster.remove({ ...place, name: `leasehold-${uuidv7()}` });
    return { allowed: true, reason: '' };
  } catch (error) {
    if (!(error instanceof ClusterRefused) || error.refusal.status !== 403) {
      throw error;
    }
    return { allowed: false, reason: error.refusal.message };
  }
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
        'CheckConfig has a manifest that grants what is missing',
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
