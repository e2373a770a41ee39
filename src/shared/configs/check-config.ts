import pLimit from 'p-limit';
import { v7 as uuidv7 } from 'uuid';
import { GatewayNotConnected } from '../domain/cluster-error.ts';
import type { Config, DynamicCredential } from '../domain/config.ts';
import { type Permission, permissionsFor } from '../domain/permissions.ts';
import { type GatewayView, viewGatewayOf } from '../gateways/view-gateway.ts';
import { useByCaller } from '../leases/cluster-use.ts';
import type { Cluster, Verdict } from '../ports/cluster.ts';
import type { Ports } from '../ports/ports.ts';
import { askPermissions } from './ask-permissions.ts';
import { blameUrl } from './blame-url.ts';
import { lookAtObjects, type ObjectCheck } from './named-objects.ts';
import { rbacManifest } from './rbac-manifest.ts';
import { renewalPermissions } from './token-renewal.ts';

/** Dry runs of bindings at the same time. */
const REHEARSALS_AT_ONCE = 4;

type CheckedPermission = Permission & Verdict;

export interface ConfigCheck {
  permissions: CheckedPermission[];
  /** What the config names, and what was found of it. */
  objects: ObjectCheck[];
  /** YAML that grants all that is needed where something is missing; empty where nothing is. */
  missingRbacManifest: string;
  /** That of the config, where its cluster is reached through one. */
  gateway: GatewayView | undefined;
}

/** What is checked of a config. */
export type CheckedConfig = Pick<Config, 'name' | 'access' | 'credential'> & {
  /** Left out: it is not stored. */
  uid?: string;
};

/**
 * Asks the cluster, permission by permission, what the config's token, or its gateway's, may do; nothing where the
 * gateway has no agent to ask by. Changes nothing. Throws a ClusterError; InvalidArgument where what is not stored has a
 * URL that may not be called.
 */
export async function checkConfig(ports: Ports, config: CheckedConfig): Promise<ConfigCheck> {
  const { gateway } = config.access;
  const asking = askAll(ports, config);
  const [permissions, view] = await Promise.all([
    config.uid === undefined ? blameUrl(asking) : asking,
    gateway && viewGatewayOf(ports, gateway),
  ]);
  const isAsked = permissions.length > 0;
  const objects = isAsked ? await lookAtObjects(clusterOfCheck(ports, config), config.credential) : [];
  return { permissions, objects, missingRbacManifest: rbacManifest(config, withMissing(permissions)), gateway: view };
}

/** A config that is not stored is on trial. */
function clusterOfCheck(ports: Ports, { access, uid }: CheckedConfig): Cluster {
  return ports.clusters.at(access, useByCaller(uid === undefined ? 'trial' : 'question'));
}

async function askAll(ports: Ports, config: CheckedConfig): Promise<CheckedPermission[]> {
  const cluster = clusterOfCheck(ports, config);
  const limit = pLimit(REHEARSALS_AT_ONCE);
  try {
    const needed = [...permissionsFor(config.credential), ...renewalPermissions(config.access)];
    const answers = await askPermissions(cluster, needed);
    return await Promise.all(answers.map((answer) => limit(() => orByRoleHeld(cluster, config, answer))));
  } catch (error) {
    if (error instanceof GatewayNotConnected) {
      return [];
    }
    throw error;
  }
}

/**
 * All permissions of the namespaces where one is missing: applied over an earlier manifest, which is replaced as a whole,
 * it must not take away what that one granted. What is optional is not asked for, but kept where it was granted.
 */
function withMissing(permissions: readonly CheckedPermission[]): CheckedPermission[] {
  const missing = permissions.filter(({ allowed, optional }) => !allowed && !optional);
  const lacking = new Set(missing.map(({ namespace }) => namespace));
  return permissions.filter(({ namespace, allowed, optional }) => lacking.has(namespace) && (allowed || !optional));
}

/**
 * A role may be handed out by who has the verb `bind` on it, and also by who holds all that it grants
 * (kubernetes.io/docs/reference/access-authn-authz/rbac, "Restrictions on role binding creation"). Only the API server
 * can tell the latter, in a dry run.
 */
async function orByRoleHeld(
  cluster: Cluster,
  { credential }: CheckedConfig,
  answer: CheckedPermission,
): Promise<CheckedPermission> {
  return answer.allowed || answer.verb !== 'bind' || credential.kind !== 'dynamic'
    ? answer
    : { ...answer, ...(await dryRunBinding(cluster, credential, answer.namespace)) };
}

function dryRunBinding(
  cluster: Cluster,
  credential: DynamicCredential,
  namespace: string | undefined,
): Promise<Verdict> {
  const name = `leasehold-check-${uuidv7()}`;
  const account = { namespace: namespace ?? credential.allowedNamespaces[0] ?? 'default', name };
  const binding =
    namespace === undefined
      ? ({ kind: 'ClusterRoleBinding', name, role: credential.role } as const)
      : ({ kind: 'RoleBinding', namespace, name, role: credential.role } as const);
  return cluster.dryRunCreate(binding, account);
}
