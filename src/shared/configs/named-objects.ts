import pLimit from 'p-limit';
import { ClusterError, ClusterRefused } from '../domain/cluster-error.ts';
import { type Config, namespacesOf, type RoleRef } from '../domain/config.ts';
import { FailedPrecondition } from '../domain/errors.ts';
import { listed } from '../domain/shorten.ts';
import type { Cluster, FoundRole } from '../ports/cluster.ts';

/** Objects that are looked at at the same time. */
const AT_ONCE = 8;

/** An object that a config names, which must exist before a lease is issued, and what was found of it. */
export interface ObjectCheck {
  kind: RoleRef['kind'] | 'ServiceAccount';
  /** Left out for a ClusterRole. */
  namespace?: string;
  name: string;
  state: 'found' | 'missing' | 'not looked at' | 'empty';
  /** What it means and what to do; empty where the object is as it should be. */
  detail: string;
}

type Finding = Pick<ObjectCheck, 'state' | 'detail'>;

/**
 * Looks at the role, or the service account, that a credential names. The API server does not when a role is bound by a
 * token that may `bind` it: a binding to nothing is made without a word. Throws ClusterRefused where the token is not
 * let in (401).
 */
export async function lookAtObjects(cluster: Cluster, credential: Config['credential']): Promise<ObjectCheck[]> {
  if (credential.kind === 'static') {
    const { namespace, serviceAccount: name } = credential;
    const finding = await look(`get serviceaccounts ${JSON.stringify(name)}`, name, async () => {
      await cluster.readServiceAccount({ namespace, name });
      return FOUND;
    });
    return [{ kind: 'ServiceAccount', namespace, name, ...finding }];
  }
  const { role } = credential;
  const namespaces = namespacesOf(credential);
  const limit = pLimit(AT_ONCE);
  const places = role.kind === 'Role' ? namespaces : namespaces.slice(0, 1);
  return Promise.all(
    places.map(async (namespace) => {
      const permission = `get ${role.kind.toLowerCase()}s ${JSON.stringify(role.name)}`;
      const finding = await limit(() =>
        look(permission, role.name, async () => findingOf(await cluster.readRole(role, namespace))),
      );
      return { ...role, ...(role.kind === 'Role' ? { namespace } : {}), ...finding };
    }),
  );
}

const FOUND: Finding = { state: 'found', detail: '' };

function findingOf({ isEmpty, isAggregated }: FoundRole): Finding {
  if (!isEmpty) {
    return FOUND;
  }
  const because = isAggregated
    ? ': it is aggregated from other ClusterRoles, and none matches, or the controller of the cluster does not run'
    : '';
  return { state: 'empty', detail: `it has no rules, so leases grant nothing${because}` };
}

/** Whatever keeps it from being looked at says nothing of the object: who wants to use it finds out. */
async function look(permission: string, name: string, reading: () => Promise<Finding>): Promise<Finding> {
  try {
    return await reading();
  } catch (error) {
    if (!(error instanceof ClusterError)) {
      throw error;
    }
    const { refusal, reason } = error instanceof ClusterRefused ? error : {};
    if (reason === 'CLUSTER_UNAUTHENTICATED') {
      throw error;
    }
    if (refusal?.reason === 'NotFound' && refusal.objectName === name) {
      return { state: 'missing', detail: 'it does not exist: create it, or name one that exists' };
    }
    const detail =
      reason === 'CLUSTER_FORBIDDEN'
        ? `it could not be looked at: the cluster token lacks the permission to ${permission}`
        : `it could not be looked at: ${error.problem}`;
    return { state: 'not looked at', detail };
  }
}

/** Throws FailedPrecondition where a role does not exist. */
export function requireRoles(objects: readonly ObjectCheck[]): void {
  const missing = objects.filter(({ state }) => state === 'missing');
  const [first] = missing;
  if (first) {
    const everywhere = first.namespace === undefined ? '' : ': a Role must exist in each allowed namespace';
    throw new FailedPrecondition(
      'CLUSTER_ROLE_NOT_FOUND',
      `config.dynamic.role: ${describe(missing)} does not exist in the cluster: create it first, or name one that exists${everywhere}`,
    );
  }
}

/** What is to be told of the objects that are not as they should be, those of one kind in one sentence. */
export function warningsOf(objects: readonly ObjectCheck[]): string[] {
  const told = objects.filter(({ detail }) => detail !== '');
  const alike = Map.groupBy(told, ({ detail }) => detail);
  return [...alike].map(([detail, group]) => `${describe(group)}: ${detail}`);
}

/** Objects of one name. */
function describe(objects: readonly ObjectCheck[]): string {
  const [first] = objects;
  const namespaces = objects.flatMap(({ namespace }) => (namespace === undefined ? [] : JSON.stringify(namespace)));
  const where = namespaces.length > 0 ? ` in namespace${namespaces.length > 1 ? 's' : ''} ${listed(namespaces)}` : '';
  return `${first?.kind} ${JSON.stringify(first?.name)}${where}`;
}
