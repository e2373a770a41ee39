import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { BindingScope, RoleKind } from '../../src/gen/leasehold/v1/config.ts';
import { type Account, READ_PODS } from './admin.ts';
import { type ConfigFields, seconds } from './set-ups.ts';
import type { World } from './world.ts';

export type DocumentedKind = 'dynamic' | 'cluster-wide' | 'static-revocable';

/** A config whose account has the rights of a manifest of deploy/rbac, in a namespace of its own. */
export interface DocumentedConfig {
  name: string;
  namespace: string;
  account: Account;
  config: ConfigFields & { name: string };
  /** Applies what is in the manifest for the namespace, once more where that was created again. */
  applyRole(): Promise<void>;
  /** Lets the account see namespaces, as the optional part of the manifest does. */
  mayReadNamespace(): Promise<void>;
}

/** Applies the manifest, without its optional right to read the namespace where that is not asked for. */
export async function setUpDocumented(
  world: World,
  kind: DocumentedKind,
  { mayReadNamespace = true } = {},
): Promise<DocumentedConfig> {
  const { admin } = world;
  const namespace = await admin.createNamespace();
  const role = await admin.createClusterRole([READ_PODS]);
  // Of a namespace that stays.
  const account = await admin.createServiceAccount(await admin.createNamespace('leasehold'), 'leasehold');
  if (kind === 'static-revocable') {
    await admin.createServiceAccount(namespace, 'deployer');
  }
  const name = `${kind}-${randomUUID().slice(0, 8)}`;
  const [own, namespaceRights] = manifestsOf(kind, { namespace, role, account, name });
  const applyRole = () => admin.apply(own);
  const grantReading = async () => {
    await admin.apply(namespaceRights);
    await admin.waitUntilMay(account, { verb: 'get', resource: 'namespaces', name: namespace });
  };
  await applyRole();
  if (mayReadNamespace) {
    await grantReading();
  }
  const resource = kind === 'static-revocable' ? 'secrets' : 'serviceaccounts';
  await admin.waitUntilMay(account, { verb: 'delete', resource, namespace });
  await admin.waitUntilMay(account, {
    verb: 'create',
    resource: 'serviceaccounts',
    subresource: 'token',
    namespace,
    name: 'deployer',
  });
  return {
    name,
    namespace,
    account,
    applyRole,
    mayReadNamespace: grantReading,
    config: {
      name,
      defaultTtl: seconds(600),
      maxTtl: seconds(3600),
      access: await world.accessOf({ account, token: await admin.mintToken(account) }),
      credential: credentialOf(kind, namespace, role),
    },
  };
}

function credentialOf(kind: DocumentedKind, namespace: string, role: string): NonNullable<ConfigFields['credential']> {
  if (kind === 'static-revocable') {
    return { $case: 'static', value: { namespace, serviceAccount: 'deployer', revocable: true } };
  }
  const bindingScope =
    kind === 'cluster-wide' ? BindingScope.BINDING_SCOPE_CLUSTER : BindingScope.BINDING_SCOPE_NAMESPACE;
  return {
    $case: 'dynamic',
    value: {
      allowedNamespaces: [namespace],
      role: { kind: RoleKind.ROLE_KIND_CLUSTER_ROLE, name: role },
      bindingScope,
    },
  };
}

/** The rule that lets the account read namespaces, wherever in the manifest it is. */
const NAMESPACE_RULE =
  / {2}- apiGroups: \[""\]\n {4}resources: \[namespaces\]\n {4}resourceNames: \[.*\]\n {4}verbs: \[get\]\n/;

/** The manifest without the right to read namespaces, and that right. */
function manifestsOf(
  kind: DocumentedKind,
  { namespace, role, account, name }: { namespace: string; role: string; account: Account; name: string },
): [string, string] {
  const documents = readFileSync(new URL(`../../deploy/rbac/${kind}.yaml`, import.meta.url), 'utf8')
    .replaceAll('team-a', namespace)
    .replaceAll('[view]', `[${role}]`)
    .replaceAll('name: leasehold-', `name: ${name}-`)
    .replaceAll('namespace: leasehold', `namespace: ${account.namespace}`)
    .split('---\n')
    .filter((document) => /^kind: (?:Cluster)?Role/m.test(document));
  const isReading = (document: string) =>
    NAMESPACE_RULE.test(document) || /^kind: ClusterRoleBinding[\s\S]*name: \S+-namespaces$/m.test(document);
  if (kind === 'cluster-wide') {
    const reading = documents.filter((document) => /^kind: Cluster/m.test(document));
    return [documents.map((document) => document.replace(NAMESPACE_RULE, '')).join('---\n'), reading.join('---\n')];
  }
  return [
    documents.filter((document) => !isReading(document)).join('---\n'),
    documents.filter(isReading).join('---\n'),
  ];
}
