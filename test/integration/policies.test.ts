import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type CallOptions, Status } from 'nice-grpc';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BindingScope, RoleKind } from '../../src/gen/leasehold/v1/config.ts';
import { makeTempFolder } from '../servers/temp-folder.ts';
import { eventually } from '../support/eventually.ts';
import { connectTo, type LeaseholdClient } from '../support/leasehold.ts';
import { rejectionOf } from '../support/rejection.ts';
import { type ConfigFields, seconds, setUpDynamic } from '../support/set-ups.ts';
import { makeTokenCallers } from '../support/token-callers.ts';
import { openWorld, type World } from '../support/world.ts';

// What a server's own policies decide upon: labels before and after, what is asked for, and what it is asked for on.

const POLICIES = `
permit (principal in Leasehold::Group::"admins", action, resource);

permit (
  principal in Leasehold::Group::"corp-editors",
  action in [Leasehold::Action::"CreateConfig", Leasehold::Action::"UpdateConfig", Leasehold::Action::"CheckConfig"],
  resource
)
when { resource.hasTag("team") && resource.getTag("team") == "a" }
unless { context.cluster_wide || context has gateway };

permit (
  principal in Leasehold::Group::"corp-checkers",
  action == Leasehold::Action::"CheckConfig",
  resource
);

permit (
  principal in Leasehold::Group::"corp-short",
  action in [Leasehold::Action::"IssueLease", Leasehold::Action::"RenewLease"],
  resource
)
when { context.ttl_seconds <= 600 };

permit (
  principal in Leasehold::Group::"corp-placed",
  action == Leasehold::Action::"IssueLease",
  resource
)
when { context has namespace && context.namespace like "*-a" };

permit (
  principal in Leasehold::Group::"corp-roles",
  action == Leasehold::Action::"IssueLease",
  resource
)
when { context has role_kind && context.role_kind == "ClusterRole" && !context.cluster_wide };

permit (
  principal,
  action == Leasehold::Action::"BatchRevokeLeases",
  resource
)
when { context has target_owner && context.target_owner == principal };

permit (
  principal in Leasehold::Group::"corp-cleaners",
  action == Leasehold::Action::"BatchRevokeLeases",
  resource is Leasehold::Config
)
when { resource.hasTag("team") && resource.getTag("team") == "a" };

permit (
  principal in Leasehold::Group::"corp-nearby",
  action == Leasehold::Action::"GetConfig",
  resource
)
when { context.transport == "tls" && context has source_ip && context.source_ip.isLoopback() };
`;

const folder = await makeTempFolder('policies');
const { environment, as, principalOf } = await makeTokenCallers(folder.path);
const policies = (text: string) => writeFile(join(folder.path, 'own.cedar'), text);

let world: World;
let client: LeaseholdClient;
let config: ConfigFields & { name: string };

beforeAll(async () => {
  await policies(POLICIES);
  world = await openWorld({ ...environment, LEASEHOLD_POLICIES: folder.path });
  client = connectTo(world.address, {});
  ({ config } = await setUpDynamic(world, 'ours', { namespaces: 2 }));
  await world.configs.createConfig({ config: { ...config, labels: { team: 'a' } } });
});
afterAll(async () => {
  client.close();
  await world.stop();
  await folder.remove();
});

const denied = async (call: Promise<unknown>) =>
  expect(await rejectionOf(call)).toMatchObject({ code: Status.PERMISSION_DENIED });

const relabel = (name: string, labels: Record<string, string>, options: CallOptions) =>
  client.configs.updateConfig({ config: { name, labels }, updateMask: ['labels'] }, options);

test('a config is changed only by who may change it before and after', async () => {
  const editor = await as('editor', ['corp-editors']);
  await world.configs.createConfig({ config: { ...config, name: 'theirs', labels: { team: 'b' } } });
  await relabel('ours', { team: 'a', tier: '1' }, editor);
  await denied(relabel('ours', { team: 'b' }, editor));
  await denied(relabel('ours', {}, editor));
  await denied(relabel('theirs', { team: 'a' }, editor));
  await denied(relabel('absent', { team: 'a' }, editor));
  expect((await world.configs.getConfig({ name: 'ours' })).labels).toEqual({ team: 'a', tier: '1' });
  expect((await world.configs.getConfig({ name: 'theirs' })).labels).toEqual({ team: 'b' });
});

test('a role for the whole cluster is seen in what a config would be', async () => {
  const editor = await as('editor', ['corp-editors']);
  const value = {
    allowedNamespaces: [...namespacesOf(config)],
    role: { kind: RoleKind.ROLE_KIND_CLUSTER_ROLE, name: 'view' },
    bindingScope: BindingScope.BINDING_SCOPE_CLUSTER,
  };
  const credential = { $case: 'dynamic', value } as const;
  await denied(client.configs.updateConfig({ config: { name: 'ours', credential }, updateMask: ['dynamic'] }, editor));
  await denied(
    client.configs.createConfig({ config: { ...config, name: 'wide', labels: { team: 'a' }, credential } }, editor),
  );
});

test('the gateway is seen with whose rights a config would act', async () => {
  const editor = await as('editor', ['corp-editors']);
  const access = { $case: 'gateway', value: { name: 'theirs' } } as const;
  const draft = { ...config, name: 'borrowed', labels: { team: 'a' }, access };
  await denied(client.configs.createConfig({ config: draft }, editor));
  await denied(client.configs.checkConfig({ target: { $case: 'config', value: draft } }, editor));
  await denied(client.configs.updateConfig({ config: { name: 'ours', access }, updateMask: ['gateway'] }, editor));
  const direct = { url: 'https://cluster.example', token: 'token', gateway: 'theirs' };
  await denied(
    client.configs.createConfig({ config: { ...draft, access: { $case: 'direct', value: direct } } }, editor),
  );
});

test('a config that is not stored is checked for who may create it', async () => {
  const draft = { $case: 'config', value: { ...config, name: 'draft', labels: { team: 'a' } } } as const;
  const stored = { $case: 'name', value: 'ours' } as const;
  const checker = await as('checker', ['corp-checkers']);
  expect(await client.configs.checkConfig({ target: stored }, checker)).toMatchObject({ allAllowed: true });
  await denied(client.configs.checkConfig({ target: draft }, checker));
  const editor = await as('editor', ['corp-editors']);
  expect(await client.configs.checkConfig({ target: draft }, editor)).toMatchObject({ allAllowed: true });
});

test('the time that is asked for, or the default, is seen', async () => {
  const short = await as('short', ['corp-short']);
  const namespace = namespacesOf(config)[0] ?? '';
  const { lease } = await client.leases.issueLease({ config: 'ours', namespace, ttl: seconds(600) }, short);
  await denied(client.leases.issueLease({ config: 'ours', namespace, ttl: seconds(601) }, short));
  await denied(client.leases.issueLease({ config: 'ours', namespace }, short));
  await client.leases.renewLease({ id: lease?.id ?? '', ttl: seconds(600) }, short);
  await denied(client.leases.renewLease({ id: lease?.id ?? '', ttl: seconds(601) }, short));
  await denied(client.leases.renewLease({ id: lease?.id ?? '' }, short));
});

test('the namespace that is asked for is seen', async () => {
  const [first = '', second = ''] = namespacesOf(config);
  await policies(POLICIES.replace('"*-a"', `"${first}"`));
  const placed = await as('placed', ['corp-placed']);
  await eventually(() => client.leases.issueLease({ config: 'ours', namespace: first }, placed));
  await denied(client.leases.issueLease({ config: 'ours', namespace: second }, placed));
  await denied(client.leases.issueLease({ config: 'ours' }, placed));
});

test('the kind of the role is seen', async () => {
  const roles = await as('roles', ['corp-roles']);
  await client.leases.issueLease({ config: 'ours', namespace: namespacesOf(config)[0] ?? '' }, roles);
});

test('leases of a config, and those of oneself, are revoked at once by who may', async () => {
  const batch = (target: Parameters<typeof client.leases.batchRevokeLeases>[0]['target'], options: CallOptions) =>
    Array.fromAsync(client.leases.batchRevokeLeases({ target }, options));
  const cleaner = await as('cleaner', ['corp-cleaners']);
  await denied(batch({ $case: 'config', value: 'theirs' }, cleaner));
  await denied(batch({ $case: 'all', value: true }, cleaner));
  await denied(batch({ $case: 'labels', value: { matchLabels: { team: 'a' } } }, cleaner));
  await denied(batch({ $case: 'principal', value: principalOf('short') }, cleaner));
  expect((await batch({ $case: 'principal', value: principalOf('cleaner') }, cleaner)).at(-1)).toMatchObject({
    done: true,
  });
  expect((await batch({ $case: 'config', value: 'ours' }, cleaner)).at(-1)).toMatchObject({
    done: true,
    failedCount: 0,
  });
});

test('where a call comes from, and how, is seen', async () => {
  const nearby = await as('nearby', ['corp-nearby']);
  expect((await client.configs.getConfig({ name: 'ours' }, nearby)).name).toBe('ours');
});

test('policies are changed while the server runs; those that are no good change nothing', async () => {
  const reader = await as('reader', ['corp-readers']);
  const get = () => client.configs.getConfig({ name: 'ours' }, reader);
  await denied(get());
  await policies(`${POLICIES} permit (principal in Leasehold::Group::"corp-readers", action, resource);`);
  await eventually(get);
  await policies(`${POLICIES} permit (principal, action, resource) when { resource.nonsense };`);
  await eventually(async () => expect(world.logs.join('')).toContain('not reloaded: what was loaded before stays'));
  expect(world.logs.find((line) => line.includes('not reloaded'))).toMatch(/own\.cedar:\d+: .*nonsense/);
  await get();
  await policies(POLICIES);
  await eventually(() => denied(get()));
});

function namespacesOf({ credential }: ConfigFields): readonly string[] {
  return credential?.$case === 'dynamic' ? (credential.value?.allowedNamespaces ?? []) : [];
}
