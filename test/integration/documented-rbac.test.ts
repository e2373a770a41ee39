import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BindingScope, RoleKind } from '../../src/gen/leasehold/v1/config.ts';
import { READ_PODS } from '../support/admin.ts';
import { eventually } from '../support/eventually.ts';
import { grantedBy } from '../support/granted-by.ts';
import { type ConfigFields, seconds } from '../support/set-ups.ts';
import { openWorld, type World } from '../support/world.ts';

// The manifests of deploy/rbac suffice, as they tell to use them, and grant nothing that CheckConfig does not ask for.

let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.stop());

const account = { namespace: 'leasehold', name: 'leasehold' };

const manifests: [string, (namespace: string, role: string) => NonNullable<ConfigFields['credential']>][] = [
  ['static', (namespace) => ({ $case: 'static', value: { namespace, serviceAccount: 'deployer' } })],
  [
    'static-revocable',
    (namespace) => ({ $case: 'static', value: { namespace, serviceAccount: 'deployer', revocable: true } }),
  ],
  ...(['dynamic', 'cluster-wide'] as const).map((file): (typeof manifests)[number] => [
    file,
    (namespace, name) => ({
      $case: 'dynamic',
      value: {
        allowedNamespaces: [namespace],
        role: { kind: RoleKind.ROLE_KIND_CLUSTER_ROLE, name },
        bindingScope: file === 'dynamic' ? BindingScope.BINDING_SCOPE_NAMESPACE : BindingScope.BINDING_SCOPE_CLUSTER,
      },
    }),
  ]),
];

test.each(manifests)('%s.yaml', async (file, credentialFor) => {
  const namespace = await world.admin.createNamespace();
  const role = await world.admin.createClusterRole([READ_PODS]);
  await world.admin.createServiceAccount(namespace, 'deployer');
  const manifest = readFileSync(new URL(`../../deploy/rbac/${file}.yaml`, import.meta.url), 'utf8')
    .replaceAll('team-a', namespace)
    .replaceAll('[view]', `[${role}]`);
  await world.admin.apply(manifest);
  const config: ConfigFields & { name: string } = {
    name: file,
    defaultTtl: seconds(600),
    maxTtl: seconds(600),
    access: await world.accessOf({ account, token: await world.admin.mintToken(account) }),
    credential: credentialFor(namespace, role),
  };

  const check = await eventually(async () => {
    const current = await world.configs.checkConfig({ target: { $case: 'config', value: config } });
    expect(current.permissions.filter(({ allowed }) => !allowed)).toEqual([]);
    return current;
  });
  const asked = check.permissions.map(
    ({ namespace, verb, resource }) => `${namespace === '' ? 'ClusterRole' : 'Role'}: ${verb} ${resource}`,
  );
  expect(grantedBy(manifest).sort()).toEqual(asked.sort());
  await world.configs.createConfig({ config });
  const { lease } = await world.leases.issueLease({ config: file });
  const { endTime } = await world.leases.revokeLease({ id: lease?.id ?? '' });
  expect(endTime).toBeDefined();
  expect(await world.admin.leaseholdObjects(world.settings.LEASEHOLD_INSTALLATION)).toEqual([]);
});
