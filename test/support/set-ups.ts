import { BindingScope, type Config, RoleKind } from '../../src/gen/leasehold/v1/config.ts';
import type { DeepPartial } from '../../src/gen/leasehold/v1/config_service.ts';
import { type Admin, type ClusterAddress, READ_PODS } from './admin.ts';
import {
  type AccountWithToken,
  createDynamicRequester,
  createRequester,
  READ_BACK_RULES,
  REVOCABLE_RULES,
  type Requester,
  STATIC_RULES,
} from './seed-rbac.ts';

export type ConfigFields = DeepPartial<Config>;

export type Access = NonNullable<ConfigFields['access']>;

/** The access of a config as the seed's form has it. */
export function directAccess({ url, ...tls }: ClusterAddress, token: string): Extract<Access, { $case: 'direct' }> {
  return { $case: 'direct', value: { url, tls, token } };
}

export function seconds(count: number): { seconds: bigint; nanos: number } {
  return { seconds: BigInt(count), nanos: 0 };
}

/** A dynamic config with the ClusterRole `view`, for clusters that are scripted. */
export function viewConfig(
  name: string,
  access: Access,
  allowedNamespaces: string[] = ['team'],
): ConfigFields & { name: string } {
  const role = { kind: RoleKind.ROLE_KIND_CLUSTER_ROLE, name: 'view' };
  const bindingScope = BindingScope.BINDING_SCOPE_NAMESPACE;
  return {
    name,
    defaultTtl: seconds(900),
    maxTtl: seconds(3600),
    access,
    credential: { $case: 'dynamic', value: { allowedNamespaces, role, bindingScope } },
  };
}

export interface StaticSetup {
  namespace: string;
  serviceAccount: string;
  requester: Requester;
  /** Ready for CreateConfig. */
  config: ConfigFields & { name: string };
}

/** What the set-ups need. */
export interface Place {
  admin: Admin;
  cluster: ClusterAddress;
  /** The access of a config with the rights of that account. Left out: straight to the cluster, with its token. */
  accessOf?: (requester: AccountWithToken) => Promise<Access>;
}

function accessIn({ cluster, accessOf }: Place, requester: AccountWithToken): Promise<Access> | Access {
  return accessOf?.(requester) ?? directAccess(cluster, requester.token);
}

/** A namespace with a service account that may read pods, the seed's static requester, and a config for both. */
export async function setUpStatic(
  world: Place,
  name: string,
  options: { namespace?: string; revocable?: boolean } = {},
): Promise<StaticSetup> {
  const namespace = options.namespace ?? (await world.admin.createNamespace());
  const account = await world.admin.createServiceAccount(namespace, 'reader');
  await world.admin.bindRole(namespace, await world.admin.createRole(namespace, [READ_PODS]), account);
  const revocable = options.revocable ?? false;
  const rules = revocable ? [...STATIC_RULES, ...REVOCABLE_RULES] : STATIC_RULES;
  const requester = await createRequester(world.admin, namespace, rules);
  const config: StaticSetup['config'] = {
    name,
    defaultTtl: seconds(900),
    maxTtl: seconds(3600),
    access: await accessIn(world, requester),
    credential: { $case: 'static', value: { namespace, serviceAccount: account.name, revocable } },
  };
  return { namespace, serviceAccount: account.name, requester, config };
}

export interface DynamicSetup {
  namespaces: [string, ...string[]];
  /** Name of the ClusterRole that reads pods. */
  role: string;
  requester: Requester;
  config: ConfigFields & { name: string };
}

/** Namespaces, a ClusterRole that reads pods, the seed's dynamic requester, and a config for them. */
export async function setUpDynamic(
  world: Place,
  name: string,
  options: { namespace?: string; namespaces?: number; bindingScope?: BindingScope; mayList?: boolean } = {},
): Promise<DynamicSetup> {
  const first = options.namespace ?? (await world.admin.createNamespace());
  const others = await Promise.all(
    Array.from({ length: (options.namespaces ?? 1) - 1 }, () => world.admin.createNamespace()),
  );
  const role = await world.admin.createClusterRole([READ_PODS]);
  const requester = await createDynamicRequester(
    world.admin,
    first,
    { clusterRole: role },
    options.mayList ? READ_BACK_RULES : [],
  );
  const namespaces: [string, ...string[]] = [first, ...others];
  const config: DynamicSetup['config'] = {
    name,
    defaultTtl: seconds(900),
    maxTtl: seconds(3600),
    access: await accessIn(world, requester),
    credential: {
      $case: 'dynamic',
      value: {
        allowedNamespaces: namespaces,
        role: { kind: RoleKind.ROLE_KIND_CLUSTER_ROLE, name: role },
        bindingScope: options.bindingScope ?? BindingScope.BINDING_SCOPE_NAMESPACE,
      },
    },
  };
  return { namespaces, role, requester, config };
}
