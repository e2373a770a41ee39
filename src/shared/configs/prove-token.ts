import { ClusterError } from '../domain/cluster-error.ts';
import { type Access, type Config, namespacesOf } from '../domain/config.ts';
import { isIntact, type StoredConfig } from '../domain/damaged-config.ts';
import { type Permission, permissionsFor } from '../domain/permissions.ts';
import { listed } from '../domain/shorten.ts';
import { useByCaller } from '../leases/cluster-use.ts';
import type { Ports } from '../ports/ports.ts';
import { type Answer, askPermissions, refuseLacking } from './ask-permissions.ts';
import { dryRunCreations } from './dry-run-creations.ts';
import { readClaims } from './token-claims.ts';
import { within } from './within.ts';

/** More are only counted. */
const MAX_WARNINGS = 16;

/**
 * Proves that the token of `after` is let in and may do what leases need, without creating anything: a cluster that
 * refuses creations now, for a reason that is not the token's, must not keep a dead token from being replaced.
 * Creations are only tried by dry run, and what the cluster says of them is returned as warnings.
 *
 * Throws ClusterRefused where the token is not let in (401) or lacks a permission (403), or another ClusterError where
 * that cannot be asked.
 */
export async function proveToken(ports: Ports, before: StoredConfig, after: Config): Promise<string[]> {
  const cluster = ports.clusters.at(after.access, useByCaller('trial'));
  const needed = permissionsFor(after.credential).filter(({ optional }) => !optional);
  const answers = await askPermissions(cluster, needed);
  const gone = await requirePermissions(ports, { before, after, answers });
  const there = namespacesOf(after.credential).filter((namespace) => !gone.includes(namespace));
  const dryRunWarnings = there.length > 0 ? await dryRunCreations(cluster, within(after, there)) : [];
  const warnings = [...unaskedWarnings(answers), ...goneWarnings(gone), ...dryRunWarnings];
  const more = warnings.length - MAX_WARNINGS;
  return more > 0 ? [...warnings.slice(0, MAX_WARNINGS), `and ${more} more of this kind`] : warnings;
}

/**
 * Throws ClusterRefused where the token lacks what it needs. Returns the namespaces that seem to be gone: Roles go with
 * their namespace, and then the right token may do nothing there either.
 */
async function requirePermissions(
  ports: Ports,
  { before, after, answers }: { before: StoredConfig; after: Config; answers: readonly Answer[] },
): Promise<string[]> {
  // Who lacks `bind` may hold all that the role grants: the dry run of a binding tells.
  const asked = answers.filter(({ verb }) => verb !== 'bind');
  const groups = [...Map.groupBy(asked, ({ namespace }) => namespace)].map(([namespace, needed]) => ({
    namespace,
    needed,
    lacking: needed.filter(({ allowed }) => !allowed),
  }));
  const isMeant =
    isSameAccount(before, after) ||
    groups.some(({ namespace, lacking }) => namespace !== undefined && lacking.length === 0);
  const verdicts = await Promise.all(
    groups.map(async ({ namespace, needed, lacking }) => {
      const [first] = lacking;
      // A token that may do something there shows that the namespace and its Role are there.
      const mayBeGone = namespace !== undefined && first !== undefined && lacking.length === needed.length;
      const isGone = mayBeGone && ((await lackedBefore(ports, before, first)) ?? isMeant);
      return { gone: isGone ? [namespace] : [], lacking: isGone ? [] : lacking };
    }),
  );
  refuseLacking(verdicts.flatMap(({ lacking }) => lacking));
  return verdicts.flatMap(({ gone }) => gone);
}

/** Whether the token before lacks it as well; undefined where that cannot tell, because it is dead or lost. */
async function lackedBefore(ports: Ports, before: StoredConfig, permission: Permission): Promise<boolean | undefined> {
  if (!isIntact(before)) {
    return undefined;
  }
  try {
    const { allowed } = await ports.clusters.at(before.access, useByCaller('question')).canI(permission);
    return !allowed;
  } catch (error) {
    if (!(error instanceof ClusterError)) {
      throw error;
    }
    return undefined;
  }
}

/** By what the tokens say of themselves; the new one was let in. RBAC knows a service account by its name. */
function isSameAccount(before: StoredConfig, after: Config): boolean {
  const one = isIntact(before) ? accountOf(before.access) : undefined;
  const other = accountOf(after.access);
  return one !== undefined && one.namespace === other?.namespace && one.name === other.name;
}

function accountOf(access: Access): { namespace: string; name: string } | undefined {
  return access.kind === 'direct' ? readClaims(access.token)?.account : undefined;
}

function goneWarnings(namespaces: readonly string[]): string[] {
  return namespaces.length === 0
    ? []
    : [
        `the cluster token may do nothing in ${listed(namespaces.map((name) => JSON.stringify(name)))}, as if the namespace did not exist any more; nothing was tried there. Where it exists, grant what leases need (CheckConfig has a manifest); where not, take it out of allowed_namespaces`,
      ];
}

function unaskedWarnings(answers: readonly Answer[]): string[] {
  return answers.some(({ isUnasked }) => isUnasked)
    ? [
        'the cluster does not answer SelfSubjectAccessReviews of this token: of its permissions only those to read and to delete were tried',
      ]
    : [];
}
