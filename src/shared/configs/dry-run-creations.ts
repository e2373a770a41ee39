import pLimit from 'p-limit';
import { v7 as uuidv7 } from 'uuid';
import { ClusterError, ClusterRefused } from '../domain/cluster-error.ts';
import { type Config, namespacesOf } from '../domain/config.ts';
import { planObjects } from '../domain/plan-lease.ts';
import { MIN_TOKEN_SECONDS } from '../domain/ttl.ts';
import type { Cluster } from '../ports/cluster.ts';
import { lookAtObjects, warningsOf } from './named-objects.ts';

/** Dry runs at the same time. */
const AT_ONCE = 4;

/**
 * Goes through what leases on `config` would make, without keeping it (dry run), and returns what the cluster refuses,
 * in words for people. What is handed out by a token, and not kept, is minted. Throws ClusterRefused where the refusal
 * is the token's fault: it is not let in, or it may not hand out the role.
 */
export async function dryRunCreations(cluster: Cluster, config: Config): Promise<string[]> {
  const { credential } = config;
  const objects = warningsOf(await lookAtObjects(cluster, credential));
  const refused =
    credential.kind === 'static' && !credential.revocable
      ? await refusalOf(
          cluster.mintToken(
            { namespace: credential.namespace, name: credential.serviceAccount },
            { audiences: config.audiences, seconds: MIN_TOKEN_SECONDS },
          ),
        )
      : await dryRunObjects(cluster, config);
  return [...objects, ...refused];
}

async function dryRunObjects(cluster: Cluster, { access, credential }: Config): Promise<string[]> {
  const creations = namespacesOf(credential).flatMap((namespace) => {
    const name = `leasehold-check-${uuidv7()}`;
    return planObjects(credential, namespace, name)
      .filter(({ kind }) => access.kind === 'direct' || isBinding(kind))
      .map((object) => ({ object, account: { namespace, name } }));
  });
  const limit = pLimit(AT_ONCE);
  let isSick = false;
  const refusals = await Promise.all(
    creations.map(({ object, account }) =>
      limit(async () => {
        // A cluster that does not answer, because its webhooks hang for instance, is not asked over and over.
        if (isSick) {
          return [];
        }
        const running = cluster.dryRunCreate(object, account);
        const problems = await refusalOf(running);
        isSick ||= problems.length > 0;
        if (problems.length > 0) {
          return problems;
        }
        const { allowed, reason } = await running;
        if (allowed) {
          return [];
        }
        const refused = bindingRefused(account.namespace, object.kind, reason);
        if (refused.reason === 'CLUSTER_ROLE_NOT_GRANTABLE') {
          throw refused;
        }
        const where = JSON.stringify(account.namespace);
        return [`the cluster refuses to create a ${object.kind} in namespace ${where}: ${reason}`];
      }),
    ),
  );
  return refusals.flat();
}

/** An agent lets nothing else be tried by dry run. */
function isBinding(kind: string): boolean {
  return kind === 'RoleBinding' || kind === 'ClusterRoleBinding';
}

function bindingRefused(namespace: string, kind: string, message: string): ClusterRefused {
  const place = kind === 'RoleBinding' ? { resource: 'rolebindings', namespace } : { resource: 'clusterrolebindings' };
  return new ClusterRefused(
    { verb: 'create', apiGroup: 'rbac.authorization.k8s.io', ...place },
    { status: 403, message, reason: 'Forbidden', objectName: '', retryAfterMs: undefined },
  );
}

/** Why the cluster did not do it; empty where it did. Throws where the token is not let in. */
export async function refusalOf(calling: Promise<unknown>): Promise<string[]> {
  try {
    await calling;
    return [];
  } catch (error) {
    const isNotLetIn = error instanceof ClusterRefused && error.reason === 'CLUSTER_UNAUTHENTICATED';
    if (!(error instanceof ClusterError) || isNotLetIn) {
      throw error;
    }
    return [error.message];
  }
}
