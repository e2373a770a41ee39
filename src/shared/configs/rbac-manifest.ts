import { stringify } from 'yaml';
import type { Access, Config } from '../domain/config.ts';
import type { Permission } from '../domain/permissions.ts';
import { readClaims } from './token-claims.ts';

interface Rule {
  apiGroups: string[];
  resources: string[];
  resourceNames?: string[];
  verbs: string[];
}

/**
 * YAML of the roles and bindings that grant `wanted` to the holder of the config's token, or to its gateway's account: a Role in each namespace, a
 * ClusterRole only for what counts in the whole cluster. Empty where nothing is wanted.
 */
export function rbacManifest({ name, access }: Pick<Config, 'name' | 'access'>, wanted: readonly Permission[]): string {
  const byNamespace = Map.groupBy(wanted, ({ namespace }) => namespace);
  const documents = [...byNamespace].flatMap(([namespace, permissions]) =>
    roleAndBinding(`leasehold-config-${name}`, namespace, rulesFor(permissions), subjectOf(access)),
  );
  return documents.map((document) => stringify(document)).join('---\n');
}

function roleAndBinding(name: string, namespace: string | undefined, rules: Rule[], subject: object): object[] {
  const prefix = namespace === undefined ? 'Cluster' : '';
  const metadata = namespace === undefined ? { name } : { name, namespace };
  const apiVersion = 'rbac.authorization.k8s.io/v1';
  return [
    { apiVersion, kind: `${prefix}Role`, metadata, rules },
    {
      apiVersion,
      kind: `${prefix}RoleBinding`,
      metadata,
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: `${prefix}Role`, name },
      subjects: [subject],
    },
  ];
}

/** One rule for each object of a resource, with all its verbs. */
function rulesFor(permissions: readonly Permission[]): Rule[] {
  const byObject = Map.groupBy(permissions, ({ apiGroup, resource, objectName }) =>
    JSON.stringify([apiGroup, resource, objectName]),
  );
  return [...byObject.values()].flatMap(([first, ...others]) =>
    first
      ? [
          {
            apiGroups: [first.apiGroup],
            resources: [first.resource],
            ...(first.objectName ? { resourceNames: [first.objectName] } : {}),
            verbs: [first, ...others].map(({ verb }) => verb),
          },
        ]
      : [],
  );
}

/** The account that deploy/gateway makes. */
const GATEWAY_ACCOUNT = { kind: 'ServiceAccount', namespace: 'leasehold', name: 'leasehold-gateway' };

/** A service account's token says whose it is. Of another token only its owner knows. */
function subjectOf(access: Access): object {
  if (access.kind === 'gateway') {
    return GATEWAY_ACCOUNT;
  }
  const account = readClaims(access.token)?.account;
  return account
    ? { kind: 'ServiceAccount', ...account }
    : { apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'REPLACE-WITH-THE-USER-OF-THE-CLUSTER-TOKEN' };
}
