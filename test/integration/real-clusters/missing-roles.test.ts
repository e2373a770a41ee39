import type { V1PolicyRule } from '@kubernetes/client-node';
import { Status } from 'nice-grpc';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BindingScope, RoleKind } from '../../../src/gen/leasehold/v1/config.ts';
import { type CheckConfigResponse, ObjectState } from '../../../src/gen/leasehold/v1/config_service.ts';
import { READ_PODS } from '../../support/admin.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { type ConfigFields, seconds, setUpStatic } from '../../support/set-ups.ts';
import { openWorld, type World } from '../../support/world.ts';

// What a config hands out may not exist: a typo that is made twice, in the RBAC of the token and in the config.

let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.stop());

const RBAC = 'rbac.authorization.k8s.io';

interface Shape {
  kind: RoleKind;
  name: string;
  bindingScope?: BindingScope;
  /** Whether the token may `get` the role. Default: true. */
  mayLook?: boolean;
}

let count = 0;

/** An account that may `bind` a role of that name, which nobody has made, and a config for it. */
async function setUp({ kind, name, bindingScope = BindingScope.BINDING_SCOPE_NAMESPACE, mayLook = true }: Shape) {
  const { admin } = world;
  const namespaces = [await admin.createNamespace(), await admin.createNamespace()] as const;
  const account = await admin.createServiceAccount(namespaces[0], 'leasehold');
  const rules: V1PolicyRule[] = [
    { apiGroups: [''], resources: ['serviceaccounts'], verbs: ['create', 'delete'] },
    { apiGroups: [''], resources: ['serviceaccounts/token'], verbs: ['create'] },
    { apiGroups: [RBAC], resources: ['rolebindings', 'clusterrolebindings'], verbs: ['create', 'delete'] },
    {
      apiGroups: [RBAC],
      resources: ['roles', 'clusterroles'],
      resourceNames: [name],
      verbs: ['bind', ...(mayLook ? ['get'] : [])],
    },
  ];
  await admin.bindClusterRole(await admin.createClusterRole(rules), account);
  await admin.waitUntilMay(account, { verb: 'bind', group: RBAC, resource: 'clusterroles', name });
  const config: ConfigFields & { name: string } = {
    name: `handing-out-${++count}`,
    defaultTtl: seconds(600),
    maxTtl: seconds(600),
    access: await world.accessOf({ account, token: await admin.mintToken(account) }),
    credential: {
      $case: 'dynamic',
      value: { allowedNamespaces: [...namespaces], role: { kind, name }, bindingScope },
    },
  };
  return { config, namespaces };
}

async function checked(config: ConfigFields): Promise<CheckConfigResponse['objects']> {
  return (await world.configs.checkConfig({ target: { $case: 'config', value: config } })).objects;
}

const fresh = (prefix: string) => `${prefix}-${Date.now()}-${++count}`;

describe('a role that does not exist', () => {
  const SHAPES: [string, (name: string) => Shape][] = [
    ['a ClusterRole that is bound in a namespace', (name) => ({ kind: RoleKind.ROLE_KIND_CLUSTER_ROLE, name })],
    [
      'a ClusterRole that is bound in the whole cluster',
      (name) => ({
        kind: RoleKind.ROLE_KIND_CLUSTER_ROLE,
        name,
        bindingScope: BindingScope.BINDING_SCOPE_CLUSTER,
      }),
    ],
    ['a Role', (name) => ({ kind: RoleKind.ROLE_KIND_ROLE, name })],
    ['a ClusterRole with colons', (name) => ({ kind: RoleKind.ROLE_KIND_CLUSTER_ROLE, name: `system:${name}:x` })],
    [
      'a ClusterRole with stranger characters',
      (name) => ({ kind: RoleKind.ROLE_KIND_CLUSTER_ROLE, name: `${name}?a#b+(ö)` }),
    ],
  ];

  test.each(SHAPES)('is refused, and told by CheckConfig: %s', async (_, shapeOf) => {
    const shape = shapeOf(fresh('typo'));
    const { config, namespaces } = await setUp(shape);
    const rejection = await rejectionOf(world.configs.createConfig({ config }));
    expect(rejection).toMatchObject({ code: Status.FAILED_PRECONDITION, reason: 'CLUSTER_ROLE_NOT_FOUND' });
    expect(rejection.message).toContain('config.dynamic.role');
    expect(rejection.message).toContain(shape.name);
    const isRole = shape.kind === RoleKind.ROLE_KIND_ROLE;
    const places = isRole ? namespaces : [''];
    expect(await checked(config)).toMatchObject(
      places.map((namespace) => ({ namespace, name: shape.name, state: ObjectState.OBJECT_STATE_MISSING })),
    );
    expect(await world.admin.leaseholdObjects(world.settings.LEASEHOLD_INSTALLATION)).toEqual([]);
  });

  test('is refused by name of the namespaces in which a Role is missing', async () => {
    const name = fresh('half');
    const { config, namespaces } = await setUp({ kind: RoleKind.ROLE_KIND_ROLE, name });
    await world.admin.createRole(namespaces[0], [READ_PODS], name);
    const { message } = await rejectionOf(world.configs.createConfig({ config }));
    expect(message).toContain(namespaces[1]);
    expect(message).not.toContain(namespaces[0]);
    await world.admin.createRole(namespaces[1], [READ_PODS], name);
    expect((await world.configs.createConfig({ config })).warnings).toEqual([]);
    expect((await checked(config)).map(({ state }) => state)).toEqual([
      ObjectState.OBJECT_STATE_FOUND,
      ObjectState.OBJECT_STATE_FOUND,
    ]);
  });

  test('is refused by an update to it', async () => {
    const name = fresh('there');
    const { config } = await setUp({ kind: RoleKind.ROLE_KIND_CLUSTER_ROLE, name });
    await world.admin.rbac.createClusterRole({ body: { metadata: { name }, rules: [READ_PODS] } });
    await world.configs.createConfig({ config });
    await world.admin.rbac.deleteClusterRole({ name });
    const dynamic = config.credential?.$case === 'dynamic' ? config.credential.value : {};
    const value = { ...dynamic, bindingScope: BindingScope.BINDING_SCOPE_CLUSTER };
    const change = { name: config.name, credential: { $case: 'dynamic', value } } as const;
    expect(await rejectionOf(world.configs.updateConfig({ config: change, updateMask: ['dynamic'] }))).toMatchObject({
      reason: 'CLUSTER_ROLE_NOT_FOUND',
    });
    const stored = await world.configs.checkConfig({ target: { $case: 'name', value: config.name } });
    expect(stored.objects).toMatchObject([{ state: ObjectState.OBJECT_STATE_MISSING }]);
  });

  test('where the token may not look is told, by the create and by CheckConfig, with the permission that would let it', async () => {
    const name = fresh('unseen');
    const { config } = await setUp({ kind: RoleKind.ROLE_KIND_CLUSTER_ROLE, name, mayLook: false });
    const told = expect.stringMatching(/could not be looked at.*get clusterroles/);
    expect((await world.configs.createConfig({ config })).warnings).toEqual([told]);
    expect(await checked(config)).toMatchObject([{ state: ObjectState.OBJECT_STATE_NOT_LOOKED_AT, detail: told }]);
    const check = await world.configs.checkConfig({ target: { $case: 'name', value: config.name } });
    expect(
      check.permissions.filter(({ verb, resource }) => verb === 'get' && resource === 'clusterroles'),
    ).toMatchObject([{ resource: 'clusterroles', objectName: name, namespace: '', allowed: false }]);
    expect(check).toMatchObject({ allAllowed: true, missingRbacManifest: '' });
  });
});

describe('a role that grants nothing is told, and not refused', () => {
  test.each([
    ['no rules', { rules: [] }, /has no rules/],
    [
      'aggregated from others that there are not',
      { rules: [], aggregationRule: { clusterRoleSelectors: [{ matchLabels: { 'test.leasehold.dev/none': 'x' } }] } },
      /aggregated/,
    ],
  ])('a ClusterRole: %s', async (_, body, told) => {
    const name = fresh('empty');
    const { config } = await setUp({ kind: RoleKind.ROLE_KIND_CLUSTER_ROLE, name });
    await world.admin.rbac.createClusterRole({ body: { ...body, metadata: { name } } });
    expect((await world.configs.createConfig({ config })).warnings).toEqual([expect.stringMatching(told)]);
    expect(await checked(config)).toMatchObject([
      { state: ObjectState.OBJECT_STATE_EMPTY, detail: expect.stringMatching(told) },
    ]);
  });

  test('a Role, in the namespace where it is empty', async () => {
    const name = fresh('empty');
    const { config, namespaces } = await setUp({ kind: RoleKind.ROLE_KIND_ROLE, name });
    await world.admin.createRole(namespaces[0], [READ_PODS], name);
    await world.admin.createRole(namespaces[1], [], name);
    const { warnings } = await world.configs.createConfig({ config });
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain(namespaces[1]);
    expect((await checked(config)).map(({ state }) => state)).toEqual([
      ObjectState.OBJECT_STATE_FOUND,
      ObjectState.OBJECT_STATE_EMPTY,
    ]);
  });
});

test('CheckConfig tells of a service account that does not exist', async () => {
  const { config, namespace, serviceAccount } = await setUpStatic(world, 'static');
  const asked = (name: string) =>
    checked({ ...config, credential: { $case: 'static', value: { namespace, serviceAccount: name } } });
  expect(await asked(serviceAccount)).toMatchObject([
    { kind: 'ServiceAccount', state: ObjectState.OBJECT_STATE_FOUND },
  ]);
  expect(await asked('typo')).toMatchObject([{ namespace, name: 'typo', state: ObjectState.OBJECT_STATE_MISSING }]);
});
