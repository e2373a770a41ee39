import type { V1PolicyRule } from '@kubernetes/client-node';
import { Redis } from 'ioredis';
import { Status } from 'nice-grpc';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { BindingScope, RoleKind } from '../../src/gen/leasehold/v1/config.ts';
import { Keys } from '../../src/shared/redis/keys.ts';
import { READ_PODS } from '../support/admin.ts';
import { otherCa } from '../support/other-ca.ts';
import { rejectionOf } from '../support/rejection.ts';
import { createDynamicRequester, DYNAMIC_RULES, STATIC_RULES } from '../support/seed-rbac.ts';
import {
  type ConfigFields,
  type DynamicSetup,
  directAccess,
  type Place,
  type StaticSetup,
  setUpDynamic,
  setUpStatic,
} from '../support/set-ups.ts';
import { openWorld, type World } from '../support/world.ts';

// CreateConfig tries the cluster before it stores anything.

let world: World;
let redis: Redis;
beforeAll(async () => {
  world = await openWorld();
  redis = new Redis(world.redisUrl);
});
afterAll(async () => {
  redis.disconnect();
  await world.stop();
});

/** Neither a config, nor an object, nor a trial that is still to be taken down. */
async function expectNothingStays(name: string): Promise<void> {
  expect(await rejectionOf(world.configs.getConfig({ name }))).toMatchObject({ code: Status.NOT_FOUND });
  expect(await world.admin.leaseholdObjects(world.settings.LEASEHOLD_INSTALLATION)).toEqual([]);
  expect((await world.leases.listLeases({})).leases).toEqual([]);
  expect(await redis.zcard(new Keys(world.settings.LEASEHOLD_INSTALLATION).due)).toBe(0);
}

test("the seed's static permissions suffice for a static config", async () => {
  const { config } = await setUpStatic(world, 'static-ok');
  await world.configs.createConfig({ config });
});

test("the seed's dynamic permissions suffice for a dynamic config, and the trials leave nothing", async () => {
  const { config } = await setUpDynamic(world, 'dynamic-ok', { namespaces: 3 });
  await world.configs.createConfig({ config });
  expect(await world.admin.leaseholdObjects(world.settings.LEASEHOLD_INSTALLATION)).toEqual([]);
});

test('a static service account that does not exist', async () => {
  const { config, namespace } = await setUpStatic(world, 'no-account');
  const credential: ConfigFields['credential'] = { $case: 'static', value: { namespace, serviceAccount: 'nobody' } };
  const rejection = await rejectionOf(world.configs.createConfig({ config: { ...config, credential } }));

  expect(rejection).toMatchObject({
    code: Status.FAILED_PRECONDITION,
    reason: 'CLUSTER_NOT_FOUND',
    metadata: { verb: 'get', resource: 'serviceaccounts', namespace, name: 'nobody', http_status: '404' },
  });
  await expectNothingStays('no-account');
});

/** `rules` with one rule for each resource and verb, but for the one that is taken away. */
function without(rules: readonly V1PolicyRule[], verb: string, resource: string): V1PolicyRule[] {
  return rules.flatMap(({ apiGroups = [], resources = [], verbs }) =>
    resources.flatMap((each) =>
      verbs
        .filter((eachVerb) => each !== resource || eachVerb !== verb)
        .map((eachVerb) => ({ apiGroups, resources: [each], verbs: [eachVerb] })),
    ),
  );
}

const RBAC = 'rbac.authorization.k8s.io';
const lessPermissions: {
  shape: string;
  setUp: (place: Place, name: string) => Promise<StaticSetup | DynamicSetup>;
  rules: readonly V1PolicyRule[];
  less: string[][];
}[] = [
  {
    shape: 'static',
    setUp: setUpStatic,
    rules: STATIC_RULES,
    less: [
      ['get', '', 'serviceaccounts'],
      ['create', '', 'serviceaccounts/token'],
    ],
  },
  {
    shape: 'dynamic',
    setUp: (place, name) => setUpDynamic(place, name, { namespaces: 2 }),
    rules: DYNAMIC_RULES,
    less: [
      ['create', '', 'serviceaccounts'],
      ['create', '', 'serviceaccounts/token'],
      ['create', RBAC, 'rolebindings'],
      ['delete', '', 'serviceaccounts'],
      ['delete', RBAC, 'rolebindings'],
    ],
  },
  {
    shape: 'dynamic in the whole cluster',
    setUp: (place, name) => setUpDynamic(place, name, { bindingScope: BindingScope.BINDING_SCOPE_CLUSTER }),
    rules: DYNAMIC_RULES,
    less: [
      ['create', RBAC, 'clusterrolebindings'],
      ['delete', RBAC, 'clusterrolebindings'],
    ],
  },
];

describe('a permission less', () => {
  const cases = lessPermissions.flatMap(({ less, ...shape }) =>
    less.map(([verb = '', apiGroup = '', resource = '']) => ({ ...shape, verb, apiGroup, resource })),
  );
  test.each(cases)('$shape: $verb $resource', async ({ setUp, rules, verb, apiGroup, resource }) => {
    const setup = await setUp(world, 'forbidden');
    const { config, requester } = setup;
    const namespaces = 'namespaces' in setup ? setup.namespaces : [setup.namespace];
    await world.admin.rbac.replaceClusterRole({
      name: requester.clusterRole,
      body: { metadata: { name: requester.clusterRole }, rules: without(rules, verb, resource) },
    });
    const [plural = '', subresource = ''] = resource.split('/');
    await world.admin.waitUntilMay(requester.account, { verb, group: apiGroup, resource: plural, subresource }, false);
    const rejection = await rejectionOf(world.configs.createConfig({ config }));

    expect(rejection).toMatchObject({
      code: Status.FAILED_PRECONDITION,
      reason: 'CLUSTER_FORBIDDEN',
      metadata: { verb, api_group: apiGroup, resource, http_status: '403' },
    });
    expect(resource === 'clusterrolebindings' ? [''] : namespaces).toContain(rejection.metadata['namespace']);
    expect(rejection.metadata['cluster_message']).toContain(`cannot ${verb} resource "${resource}"`);
    expect(rejection.message).toContain(`${verb} ${resource}`);
    await expectNothingStays('forbidden');
  });
});

test('each allowed namespace is tried, and where one fails nothing stays in the others', async () => {
  const { config, namespaces } = await setUpDynamic(world, 'half', { namespaces: 3 });
  const [first, second] = namespaces;
  const role = await world.admin.createRole(first, [READ_PODS]);
  const requester = await createDynamicRequester(world.admin, first, { role, namespaces: [first] });
  const rejection = await rejectionOf(
    world.configs.createConfig({
      config: {
        ...config,
        access: directAccess(world.cluster, requester.token),
        credential: {
          $case: 'dynamic',
          value: { allowedNamespaces: [first, second ?? ''], role: { kind: RoleKind.ROLE_KIND_ROLE, name: role } },
        },
      },
    }),
  );

  expect(rejection.metadata).toMatchObject({ verb: 'create', resource: 'rolebindings', namespace: second });
  await expectNothingStays('half');
});

test('a role that the cluster token may not hand out', async () => {
  const { config } = await setUpDynamic(world, 'not-mine');
  const role = await world.admin.createClusterRole([{ apiGroups: [''], resources: ['secrets'], verbs: ['get'] }]);
  const dynamic = config.credential?.$case === 'dynamic' ? config.credential.value : {};
  const credential: ConfigFields['credential'] = {
    $case: 'dynamic',
    value: { ...dynamic, role: { kind: 2, name: role } },
  };
  const rejection = await rejectionOf(world.configs.createConfig({ config: { ...config, credential } }));

  expect(rejection).toMatchObject({
    code: Status.FAILED_PRECONDITION,
    metadata: { verb: 'create', resource: 'rolebindings' },
  });
  expect(rejection.metadata['cluster_message']).toContain('attempting to grant RBAC permissions not currently held');
  await expectNothingStays('not-mine');
});

test('a wrong token, which the error does not repeat', async () => {
  const { config } = await setUpStatic(world, 'wrong-token');
  const token = 'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJub2JvZHkifQ.c2lnbmF0dXJl';
  const rejection = await rejectionOf(
    world.configs.createConfig({ config: { ...config, access: directAccess(world.cluster, token) } }),
  );

  expect(rejection).toMatchObject({ code: Status.FAILED_PRECONDITION, reason: 'CLUSTER_UNAUTHENTICATED' });
  expect(JSON.stringify(rejection)).not.toContain(token);
  await expectNothingStays('wrong-token');
});

describe('the certificate of the API server', () => {
  let config: ConfigFields & { name: string };
  let token: string;
  beforeEach(async () => {
    const setup = await setUpStatic(world, `tls-${Math.random().toString(36).slice(2, 8)}`);
    config = setup.config;
    token = setup.requester.token;
  });
  const withTls = (tls: { caPem?: string; insecureSkipVerify?: boolean; serverName?: string }): ConfigFields => ({
    ...config,
    access: { $case: 'direct', value: { url: world.cluster.url, tls, token } },
  });

  test('verifies against the custom CA', async () => {
    await world.configs.createConfig({ config: withTls({ caPem: world.cluster.caPem }) });
  });

  test('is refused under another CA', async () => {
    const rejection = await rejectionOf(world.configs.createConfig({ config: withTls({ caPem: otherCa }) }));
    expect(rejection).toMatchObject({ code: Status.FAILED_PRECONDITION, reason: 'CLUSTER_CERTIFICATE_NOT_TRUSTED' });
    await expectNothingStays(config.name);
  });

  test('is refused under the CAs of the server', async () => {
    const rejection = await rejectionOf(world.configs.createConfig({ config: withTls({}) }));
    expect(rejection).toMatchObject({ code: Status.FAILED_PRECONDITION, reason: 'CLUSTER_CERTIFICATE_NOT_TRUSTED' });
  });

  test('is refused under another name', async () => {
    const rejection = await rejectionOf(
      world.configs.createConfig({ config: withTls({ caPem: world.cluster.caPem, serverName: 'elsewhere.example' }) }),
    );
    expect(rejection).toMatchObject({ code: Status.FAILED_PRECONDITION, reason: 'CLUSTER_CERTIFICATE_NOT_TRUSTED' });
  });

  test('verifies under a name of its own', async () => {
    await world.configs.createConfig({
      config: withTls({ caPem: world.cluster.caPem, serverName: 'kubernetes.default.svc' }),
    });
  });

  test('is not looked at where verification is off', async () => {
    const created = await world.configs.createConfig({ config: withTls({ insecureSkipVerify: true }) });
    expect(created.access).toMatchObject({ value: { tls: { insecureSkipVerify: true } } });
    await world.leases.issueLease({ config: config.name });
  });
});
