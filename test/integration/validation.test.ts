import { Status } from 'nice-grpc';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { otherCa } from '../support/other-ca.ts';
import { rejectionOf } from '../support/rejection.ts';
import { DYNAMIC_RULES } from '../support/seed-rbac.ts';
import { type ConfigFields, directAccess, openWorld, setUpDynamic, setUpStatic, type World } from '../support/world.ts';

// CreateConfig tries the cluster before it stores anything.

let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.stop());

async function expectNothingStays(name: string): Promise<void> {
  expect(await rejectionOf(world.configs.getConfig({ name }))).toMatchObject({ code: Status.NOT_FOUND });
  expect(await world.admin.leaseholdObjects(world.settings.LEASEHOLD_INSTALLATION)).toEqual([]);
  expect((await world.leases.listLeases({})).leases).toEqual([]);
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

describe('a permission less', () => {
  const cases = [
    { verb: 'create', apiGroup: '', resource: 'serviceaccounts' },
    { verb: 'create', apiGroup: '', resource: 'serviceaccounts/token' },
    { verb: 'create', apiGroup: 'rbac.authorization.k8s.io', resource: 'rolebindings' },
    { verb: 'delete', apiGroup: '', resource: 'serviceaccounts' },
    { verb: 'delete', apiGroup: 'rbac.authorization.k8s.io', resource: 'rolebindings' },
  ];
  test.each(cases)('$verb $resource', async ({ verb, apiGroup, resource }) => {
    const { config, namespaces, requester } = await setUpDynamic(world, 'forbidden', { namespaces: 2 });
    // One rule for each resource and verb, but for the one that is taken away.
    const rules = DYNAMIC_RULES.flatMap((rule) =>
      (rule.resources ?? []).flatMap((each) =>
        rule.verbs
          .filter((eachVerb) => each !== resource || eachVerb !== verb)
          .map((eachVerb) => ({ apiGroups: rule.apiGroups ?? [], resources: [each], verbs: [eachVerb] })),
      ),
    );
    await world.admin.rbac.replaceClusterRole({
      name: requester.clusterRole,
      body: { metadata: { name: requester.clusterRole }, rules },
    });
    const rejection = await rejectionOf(world.configs.createConfig({ config }));

    expect(rejection).toMatchObject({
      code: Status.FAILED_PRECONDITION,
      reason: 'CLUSTER_FORBIDDEN',
      metadata: { verb, api_group: apiGroup, resource, http_status: '403' },
    });
    expect(namespaces).toContain(rejection.metadata['namespace']);
    expect(rejection.metadata['cluster_message']).toContain(`cannot ${verb} resource "${resource}"`);
    expect(rejection.message).toContain(`${verb} ${resource}`);
    await expectNothingStays('forbidden');
  });
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

  test("is refused under the system's CAs", async () => {
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
    expect(created.access?.value.tls?.insecureSkipVerify).toBe(true);
    await world.leases.issueLease({ config: config.name });
  });
});
