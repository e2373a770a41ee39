import { Status } from 'nice-grpc';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BindingScope, RoleKind } from '../../src/gen/leasehold/v1/config.ts';
import { eventually } from '../support/eventually.ts';
import { startLeasehold } from '../support/leasehold.ts';
import { rejectionOf } from '../support/rejection.ts';
import { type ConfigFields, directAccess, seconds, setUpDynamic, setUpStatic } from '../support/set-ups.ts';
import { startSilentServer } from '../support/silent-server.ts';
import { openWorld, type World } from '../support/world.ts';

// Every wrong input has its gRPC code and says which field is wrong, and changes nothing.

let world: World;
let fixed: ConfigFields;
let dynamic: ConfigFields;
beforeAll(async () => {
  world = await openWorld();
  const setups = await Promise.all([setUpStatic(world, 'static'), setUpDynamic(world, 'dynamic')]);
  [fixed, dynamic] = setups.map(({ config }) => config) as [ConfigFields, ConfigFields];
  await world.configs.createConfig({ config: fixed });
  await world.configs.createConfig({ config: dynamic });
});
afterAll(() => world.stop());

async function everything() {
  return {
    configs: await world.configs.listConfigs({}),
    leases: await world.leases.listLeases({}),
    objects: await world.admin.leaseholdObjects(world.settings.LEASEHOLD_INSTALLATION),
  };
}

async function expectRefused(
  call: () => Promise<unknown>,
  expected: { code: Status; field?: string; reason?: string },
) {
  const before = await everything();
  const rejection = await rejectionOf(call());
  expect({ code: rejection.code, fields: rejection.fields, reason: rejection.reason }).toEqual({
    code: expected.code,
    fields: expected.field === undefined ? [] : expect.arrayContaining([expected.field]),
    reason: expected.reason,
  });
  expect(await everything()).toEqual(before);
}

const long = (length: number) => 'x'.repeat(length);
const role = { kind: RoleKind.ROLE_KIND_CLUSTER_ROLE, name: 'view' };
const dynamicWith = (fields: object): ConfigFields => ({
  credential: { $case: 'dynamic', value: { allowedNamespaces: ['default'], role, ...fields } },
});
const staticWith = (fields: object): ConfigFields => ({
  credential: { $case: 'static', value: { namespace: 'default', serviceAccount: 'reader', ...fields } },
});
const directWith = (fields: object): ConfigFields => ({
  access: { $case: 'direct', value: { url: 'https://127.0.0.1:1', token: 'token', ...fields } },
});

const gatewayNamed = (name: string): ConfigFields => ({ access: { $case: 'gateway', value: { name } } });

const badConfigs: [string, ConfigFields, string][] = [
  ['no name', { name: '' }, 'config.name'],
  ['a name with capitals', { name: 'Prod' }, 'config.name'],
  ['a name with a dot', { name: 'a.b' }, 'config.name'],
  ['a name that begins with a dash', { name: '-a' }, 'config.name'],
  ['a name of 64 characters', { name: long(64) }, 'config.name'],
  ['no default ttl', { defaultTtl: undefined }, 'config.default_ttl'],
  ['no max ttl', { maxTtl: undefined }, 'config.max_ttl'],
  ['a zero ttl', { defaultTtl: seconds(0) }, 'config.default_ttl'],
  ['a negative ttl', { defaultTtl: seconds(-600) }, 'config.default_ttl'],
  ['a ttl with a fraction', { defaultTtl: { seconds: 600n, nanos: 1 } }, 'config.default_ttl'],
  ['a ttl above what Kubernetes takes', { maxTtl: seconds(2 ** 32 + 1) }, 'config.max_ttl'],
  ['a default above the max', { defaultTtl: seconds(7200), maxTtl: seconds(3600) }, 'config.default_ttl'],
  ['a static default under ten minutes', { ...staticWith({}), defaultTtl: seconds(599) }, 'config.default_ttl'],
  ['an empty audience', { audiences: [''] }, 'config.audiences.0'],
  ['an audience twice', { audiences: ['a', 'a'] }, 'config.audiences'],
  ['an audience of 254 characters', { audiences: [long(254)] }, 'config.audiences.0'],
  ['too many audiences', { audiences: Array.from({ length: 17 }, (_, i) => `a${i}`) }, 'config.audiences'],
  ['a label name that is none', { labels: { 'no name': 'x' } }, 'config.labels.no name'],
  ['a label value that is none', { labels: { team: long(64) } }, 'config.labels.team'],
  [
    'too many labels',
    { labels: Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`l${i}`, ''])) },
    'config.labels',
  ],
  ['no access', { access: undefined }, 'config.access'],
  ['a gateway that there is not', gatewayNamed('none'), 'config.gateway.name'],
  ['a gateway with a bad name', gatewayNamed('A'), 'config.gateway.name'],
  ['a path by a gateway that there is not', directWith({ gateway: 'none' }), 'config.direct.gateway'],
  ['no url', directWith({ url: '' }), 'config.direct.url'],
  ['a url that is none', directWith({ url: 'cluster' }), 'config.direct.url'],
  ['a url without TLS', directWith({ url: 'http://127.0.0.1:1' }), 'config.direct.url'],
  ['a url with a user', directWith({ url: 'https://user:password@127.0.0.1:1' }), 'config.direct.url'],
  ['a url with a query', directWith({ url: 'https://127.0.0.1:1/?a=b' }), 'config.direct.url'],
  ['a url that is too long', directWith({ url: `https://127.0.0.1/${long(2048)}` }), 'config.direct.url'],
  ['no token', directWith({ token: '' }), 'config.direct.token'],
  ['a token with a line break', directWith({ token: 'a\nb' }), 'config.direct.token'],
  ['a token that is too long', directWith({ token: long(16385) }), 'config.direct.token'],
  ['a CA that is no certificate', directWith({ tls: { caPem: 'PEM' } }), 'config.direct.tls.ca_pem'],
  [
    'a CA with a broken certificate',
    directWith({ tls: { caPem: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----' } }),
    'config.direct.tls.ca_pem',
  ],
  ['a CA that is too long', directWith({ tls: { caPem: long(64 * 1024 + 1) } }), 'config.direct.tls.ca_pem'],
  ['a server name that is none', directWith({ tls: { serverName: 'a b' } }), 'config.direct.tls.server_name'],
  ['no credential', { credential: undefined }, 'config.credential'],
  ['a static credential without a namespace', staticWith({ namespace: '' }), 'config.static.namespace'],
  ['a static credential with a bad namespace', staticWith({ namespace: 'a/b' }), 'config.static.namespace'],
  ['a static credential without an account', staticWith({ serviceAccount: '' }), 'config.static.service_account'],
  [
    'a service account name of 254 characters',
    staticWith({ serviceAccount: long(254) }),
    'config.static.service_account',
  ],
  ['no namespaces', dynamicWith({ allowedNamespaces: [] }), 'config.dynamic.allowed_namespaces'],
  [
    'too many namespaces',
    dynamicWith({ allowedNamespaces: Array.from({ length: 65 }, (_, i) => `n${i}`) }),
    'config.dynamic.allowed_namespaces',
  ],
  ['a namespace twice', dynamicWith({ allowedNamespaces: ['a', 'a'] }), 'config.dynamic.allowed_namespaces'],
  [
    'a namespace of 64 characters',
    dynamicWith({ allowedNamespaces: [long(64)] }),
    'config.dynamic.allowed_namespaces.0',
  ],
  ['no role', dynamicWith({ role: undefined }), 'config.dynamic.role'],
  ['a role of no kind', dynamicWith({ role: { name: 'view' } }), 'config.dynamic.role.kind'],
  ['a role of an unknown kind', dynamicWith({ role: { kind: 99, name: 'view' } }), 'config.dynamic.role.kind'],
  ['a role without a name', dynamicWith({ role: { ...role, name: '' } }), 'config.dynamic.role.name'],
  ['a role name of 254 characters', dynamicWith({ role: { ...role, name: long(254) } }), 'config.dynamic.role.name'],
  ['a role name with a slash', dynamicWith({ role: { ...role, name: '../view' } }), 'config.dynamic.role.name'],
  ['an unknown binding scope', dynamicWith({ bindingScope: 99 }), 'config.dynamic.binding_scope'],
  [
    'a Role for the whole cluster',
    dynamicWith({
      role: { kind: RoleKind.ROLE_KIND_ROLE, name: 'r' },
      bindingScope: BindingScope.BINDING_SCOPE_CLUSTER,
    }),
    'config.dynamic.binding_scope',
  ],
];

test.each(badConfigs)('CreateConfig and CheckConfig with %s', async (_, fields, field) => {
  const config = { ...dynamic, name: 'bad', ...fields };
  await expectRefused(() => world.configs.createConfig({ config }), { code: Status.INVALID_ARGUMENT, field });
  await expectRefused(() => world.configs.checkConfig({ target: { $case: 'config', value: config } }), {
    code: Status.INVALID_ARGUMENT,
    field,
  });
});

const uuid = '01a20baa-6a38-76dd-b5dc-0539adaeadb6';
const invalid = (field: string) => ({ code: Status.INVALID_ARGUMENT, field });
const badCalls: [string, (world: World) => Promise<unknown>, { code: Status; field?: string; reason?: string }][] = [
  ['CreateConfig with nothing', ({ configs }) => configs.createConfig({}), invalid('config.name')],
  [
    'CreateConfig with a name that is taken',
    ({ configs }) => configs.createConfig({ config: dynamic }),
    { code: Status.ALREADY_EXISTS, reason: 'CONFIG_NAME_TAKEN' },
  ],
  [
    'CreateConfig with a cluster that cannot be reached',
    ({ configs }) => configs.createConfig({ config: { ...fixed, name: 'away', ...directWith({}) } }),
    { code: Status.UNAVAILABLE, reason: 'CLUSTER_UNREACHABLE' },
  ],
  ['GetConfig with no name', ({ configs }) => configs.getConfig({}), invalid('name')],
  [
    'GetConfig of none',
    ({ configs }) => configs.getConfig({ name: 'none' }),
    { code: Status.NOT_FOUND, reason: 'CONFIG_NOT_FOUND' },
  ],
  [
    'ListConfigs with a negative page size',
    ({ configs }) => configs.listConfigs({ pageSize: -1 }),
    invalid('page_size'),
  ],
  ['ListConfigs with too large a page', ({ configs }) => configs.listConfigs({ pageSize: 1001 }), invalid('page_size')],
  ['ListConfigs with a made-up token', ({ configs }) => configs.listConfigs({ pageToken: 'x' }), invalid('page_token')],
  ['UpdateConfig with nothing', ({ configs }) => configs.updateConfig({}), invalid('config.name')],
  ['UpdateConfig without a mask', ({ configs }) => configs.updateConfig({ config: dynamic }), invalid('update_mask')],
  [
    'UpdateConfig of a field that cannot change',
    ({ configs }) => configs.updateConfig({ config: dynamic, updateMask: ['name'] }),
    invalid('update_mask'),
  ],
  [
    'UpdateConfig with a mask of a word that every object knows',
    ({ configs }) => configs.updateConfig({ config: dynamic, updateMask: ['constructor'] }),
    invalid('update_mask'),
  ],
  [
    'UpdateConfig of a default above the max',
    ({ configs }) =>
      configs.updateConfig({ config: { ...dynamic, defaultTtl: seconds(7200) }, updateMask: ['default_ttl'] }),
    invalid('config.default_ttl'),
  ],
  [
    'UpdateConfig of none',
    ({ configs }) => configs.updateConfig({ config: { ...dynamic, name: 'none' }, updateMask: ['*'] }),
    { code: Status.NOT_FOUND, reason: 'CONFIG_NOT_FOUND' },
  ],
  [
    'DeleteConfig of none',
    ({ configs }) => configs.deleteConfig({ name: 'none' }),
    { code: Status.NOT_FOUND, reason: 'CONFIG_NOT_FOUND' },
  ],
  [
    'DeleteConfig with an old etag',
    ({ configs }) => configs.deleteConfig({ name: 'dynamic', etag: 'old' }),
    { code: Status.ABORTED, reason: 'CONFIG_CHANGED' },
  ],
  ['CheckConfig of nothing', ({ configs }) => configs.checkConfig({}), invalid('target')],
  [
    'CheckConfig of none',
    ({ configs }) => configs.checkConfig({ target: { $case: 'name', value: 'none' } }),
    { code: Status.NOT_FOUND, reason: 'CONFIG_NOT_FOUND' },
  ],
  ['IssueLease with nothing', ({ leases }) => leases.issueLease({}), invalid('config')],
  [
    'IssueLease on no config',
    ({ leases }) => leases.issueLease({ config: 'none' }),
    { code: Status.NOT_FOUND, reason: 'CONFIG_NOT_FOUND' },
  ],
  [
    'IssueLease with a zero ttl',
    ({ leases }) => leases.issueLease({ config: 'dynamic', ttl: seconds(0) }),
    invalid('ttl'),
  ],
  [
    'IssueLease with a negative ttl',
    ({ leases }) => leases.issueLease({ config: 'dynamic', ttl: seconds(-1) }),
    invalid('ttl'),
  ],
  [
    'IssueLease with a ttl above the max',
    ({ leases }) => leases.issueLease({ config: 'dynamic', ttl: seconds(3601) }),
    invalid('ttl'),
  ],
  [
    'IssueLease with a bad namespace',
    ({ leases }) => leases.issueLease({ config: 'dynamic', namespace: '../default' }),
    invalid('namespace'),
  ],
  [
    'IssueLease with an unknown audience',
    ({ leases }) => leases.issueLease({ config: 'dynamic', audiences: ['x'] }),
    invalid('audiences'),
  ],
  [
    'IssueLease with a request_id that is no UUID',
    ({ leases }) => leases.issueLease({ config: 'dynamic', requestId: 'x' }),
    invalid('request_id'),
  ],
  ['GetLease with no id', ({ leases }) => leases.getLease({}), invalid('id')],
  ['GetLease with an id that is none', ({ leases }) => leases.getLease({ id: 'x' }), invalid('id')],
  [
    'GetLease of none',
    ({ leases }) => leases.getLease({ id: uuid }),
    { code: Status.NOT_FOUND, reason: 'LEASE_NOT_FOUND' },
  ],
  ['RevokeLease with no id', ({ leases }) => leases.revokeLease({}), invalid('id')],
  ['RevokeLease with an id that is none', ({ leases }) => leases.revokeLease({ id: 'x' }), invalid('id')],
  [
    'RevokeLease of none',
    ({ leases }) => leases.revokeLease({ id: uuid }),
    { code: Status.NOT_FOUND, reason: 'LEASE_NOT_FOUND' },
  ],
  ['ListLeases with an unknown state', ({ leases }) => leases.listLeases({ states: [99 as 0] }), invalid('states.0')],
  [
    'ListLeases with too many states',
    ({ leases }) => leases.listLeases({ states: Array(7).fill(1) }),
    invalid('states'),
  ],
  ['ListLeases with a bad config', ({ leases }) => leases.listLeases({ config: 'A' }), invalid('config')],
  ['ListLeases with a made-up token', ({ leases }) => leases.listLeases({ pageToken: 'e30' }), invalid('page_token')],
];

test.each(badCalls)('%s', (_, call, expected) => expectRefused(() => call(world), expected));

test('a cluster that takes connections and says nothing is given up within the deadline', async () => {
  const silent = await startSilentServer();
  const impatient = await startLeasehold(world.redisUrl, { LEASEHOLD_CLUSTER_CONNECT_TIMEOUT: '1' });
  const started = Date.now();
  const config = { ...fixed, name: 'silent', access: directAccess({ ...world.cluster, url: silent.url }, 'token') };
  await expectRefused(() => impatient.configs.createConfig({ config }), {
    code: Status.UNAVAILABLE,
    reason: 'CLUSTER_UNREACHABLE',
  });

  expect(Date.now() - started).toBeLessThan(1000 * impatient.settings.LEASEHOLD_CLUSTER_CALL_TIMEOUT);
  silent.stop();
  await impatient.stop();
});

test('a deadline that passes: DEADLINE_EXCEEDED, and no lease stays', async () => {
  const rejection = await rejectionOf(world.leases.issueLease({ config: 'dynamic' }, { deadline: 1 }));
  expect(rejection.code).toBe(Status.DEADLINE_EXCEEDED);

  await eventually(async () => {
    const { leases } = await world.leases.listLeases({});
    expect(leases.every(({ endTime }) => endTime !== undefined)).toBe(true);
    expect(await world.admin.leaseholdObjects(world.settings.LEASEHOLD_INSTALLATION)).toEqual([]);
  });
});
