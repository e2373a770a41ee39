import { afterAll, beforeAll, expect, test } from 'vitest';
import { BindingScope, RoleKind } from '../../src/gen/leasehold/v1/config.ts';
import { READ_PODS } from '../support/admin.ts';
import { eventually } from '../support/eventually.ts';
import { type ConfigFields, seconds, setUpDynamic, setUpStatic } from '../support/set-ups.ts';
import { openWorld, type World } from '../support/world.ts';

let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.stop());

/** Until the authorizer has heard of all that a manifest grants. */
function untilAllAllowed(config: ConfigFields) {
  return eventually(async () => {
    const check = await world.configs.checkConfig({ target: { $case: 'config', value: config } });
    expect(check.permissions.filter(({ allowed, optional }) => !allowed && !optional)).toEqual([]);
    return check;
  });
}

test('a stored config whose token may do all', async () => {
  const { config } = await setUpStatic(world, 'checked');
  await world.configs.createConfig({ config });
  const check = await world.configs.checkConfig({ target: { $case: 'name', value: 'checked' } });

  expect(check.allAllowed).toBe(true);
  expect(check.missingRbacManifest).toBe('');
  expect(check.permissions.map(({ verb, resource }) => `${verb} ${resource}`)).toEqual([
    'get serviceaccounts',
    'create serviceaccounts/token',
  ]);
});

test('the role may be handed out by who holds it, as in the seed', async () => {
  const { config } = await setUpDynamic(world, 'holds');
  const check = await world.configs.checkConfig({ target: { $case: 'config', value: config } });
  expect(check.permissions.find(({ verb }) => verb === 'bind')).toMatchObject({ allowed: true });
  expect(check.allAllowed).toBe(true);
});

test('what is only for reading the cluster, its namespaces and the role is optional: shown, and not asked for', async () => {
  const { config } = await setUpDynamic(world, 'blind');
  const check = await world.configs.checkConfig({ target: { $case: 'config', value: config } });
  const lacking = check.permissions.filter(({ allowed }) => !allowed);
  expect(lacking.map(({ verb, resource, optional }) => [verb, resource, optional])).toEqual([
    ['list', 'serviceaccounts', true],
    ['get', 'namespaces', true],
    ['list', 'rolebindings', true],
    ['get', 'clusterroles', true],
  ]);
  expect(check.missingRbacManifest).toBe('');
});

const shapes = [
  { shape: 'static', scope: undefined, kind: RoleKind.ROLE_KIND_UNSPECIFIED },
  {
    shape: 'a ClusterRole in each namespace',
    scope: BindingScope.BINDING_SCOPE_NAMESPACE,
    kind: RoleKind.ROLE_KIND_CLUSTER_ROLE,
  },
  { shape: 'a Role', scope: BindingScope.BINDING_SCOPE_NAMESPACE, kind: RoleKind.ROLE_KIND_ROLE },
  {
    shape: 'a ClusterRole in the whole cluster',
    scope: BindingScope.BINDING_SCOPE_CLUSTER,
    kind: RoleKind.ROLE_KIND_CLUSTER_ROLE,
  },
];

test.each(shapes)(
  'the manifest grants what is missing to an account without any right: $shape',
  async ({ shape, scope, kind }) => {
    const namespaces = [await world.admin.createNamespace(), await world.admin.createNamespace()] as const;
    const [namespace] = namespaces;
    const account = await world.admin.createServiceAccount(namespace, 'bare');
    await world.admin.createServiceAccount(namespace, 'reader');
    const role = kind === RoleKind.ROLE_KIND_ROLE ? 'reads-pods' : await world.admin.createClusterRole([READ_PODS]);
    if (kind === RoleKind.ROLE_KIND_ROLE) {
      await Promise.all(namespaces.map((place) => world.admin.createRole(place, [READ_PODS], role)));
    }
    const config: ConfigFields & { name: string } = {
      name: `bare-${shapes.findIndex((each) => each.shape === shape)}-${namespace}`,
      defaultTtl: seconds(600),
      maxTtl: seconds(600),
      access: await world.accessOf({ account, token: await world.admin.mintToken(account) }),
      credential:
        scope === undefined
          ? { $case: 'static', value: { namespace, serviceAccount: 'reader' } }
          : {
              $case: 'dynamic',
              value: { allowedNamespaces: [...namespaces], role: { kind, name: role }, bindingScope: scope },
            },
    };
    const before = await world.configs.checkConfig({ target: { $case: 'config', value: config } });
    expect(before.allAllowed).toBe(false);
    expect(before.permissions.every(({ allowed }) => !allowed)).toBe(true);

    await world.admin.apply(world.manifestFor(account, before.missingRbacManifest));

    const after = await untilAllAllowed(config);
    expect(after.missingRbacManifest).toBe('');
    await world.configs.createConfig({ config });
    await world.leases.issueLease({ config: config.name, namespace });
    expect(await world.admin.leaseholdObjects(world.settings.LEASEHOLD_INSTALLATION)).toHaveLength(
      scope === undefined ? 0 : 2,
    );
    for (const { id } of (await world.leases.listLeases({ config: config.name })).leases) {
      await world.leases.revokeLease({ id });
    }
  },
);

test('a second manifest takes nothing away that the first granted', async () => {
  const namespace = await world.admin.createNamespace();
  const account = await world.admin.createServiceAccount(namespace, 'bare');
  const access = await world.accessOf({ account, token: await world.admin.mintToken(account) });
  const handingOut = async (): Promise<ConfigFields> => ({
    name: `again-${namespace}`,
    defaultTtl: seconds(600),
    maxTtl: seconds(600),
    access,
    credential: {
      $case: 'dynamic',
      value: {
        allowedNamespaces: [namespace],
        role: { kind: RoleKind.ROLE_KIND_CLUSTER_ROLE, name: await world.admin.createClusterRole([READ_PODS]) },
      },
    },
  });
  for (const config of [await handingOut(), await handingOut()]) {
    const check = await world.configs.checkConfig({ target: { $case: 'config', value: config } });
    expect(check.allAllowed).toBe(false);
    await world.admin.apply(world.manifestFor(account, check.missingRbacManifest));
    await untilAllAllowed(config);
  }
});
