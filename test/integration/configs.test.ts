import { Status } from 'nice-grpc';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { rejectionOf } from '../support/rejection.ts';
import { directAccess, seconds, setUpDynamic, setUpStatic } from '../support/set-ups.ts';
import { authenticationStatus } from '../support/token-use.ts';
import { openWorld, type World } from '../support/world.ts';

let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.stop());

test('a config comes back as it was written, but for its token', async () => {
  const { config, requester } = await setUpDynamic(world, 'round-trip', { namespaces: 2 });
  const created = await world.configs.createConfig({
    config: { ...config, labels: { team: 'payments' }, audiences: ['a'] },
  });
  const read = await world.configs.getConfig({ name: 'round-trip' });

  expect(read).toEqual({ ...created, warnings: [] });
  expect(read).toMatchObject({
    name: 'round-trip',
    defaultTtl: seconds(900),
    maxTtl: seconds(3600),
    audiences: ['a'],
    labels: { team: 'payments' },
    credential: config.credential,
    access: { $case: 'direct', value: { url: world.cluster.url, tls: { caPem: world.cluster.caPem }, token: '' } },
  });
  expect(JSON.stringify(read, (_, value) => (typeof value === 'bigint' ? Number(value) : value))).not.toContain(
    requester.token,
  );
});

test('configs are listed by name, in pages', async () => {
  const { config } = await setUpStatic(world, 'unused');
  for (const name of ['page-c', 'page-a', 'page-b']) {
    await world.configs.createConfig({ config: { ...config, name } });
  }
  const names: string[] = [];
  let pageToken = '';
  do {
    const page = await world.configs.listConfigs({ pageSize: 2, pageToken });
    expect(page.configs.length).toBeLessThanOrEqual(2);
    names.push(...page.configs.map(({ name }) => name));
    pageToken = page.nextPageToken;
  } while (pageToken !== '');

  expect(names).toEqual([...names].sort());
  expect(names.filter((name) => name.startsWith('page-'))).toEqual(['page-a', 'page-b', 'page-c']);
});

test('an update changes what its mask names, keeps the token, and moves the etag', async () => {
  const { config, serviceAccount } = await setUpStatic(world, 'updated');
  const created = await world.configs.createConfig({ config });
  const updated = await world.configs.updateConfig({
    config: { name: 'updated', defaultTtl: seconds(1200), maxTtl: seconds(1) },
    updateMask: ['default_ttl'],
  });

  expect(updated).toMatchObject({ defaultTtl: seconds(1200), maxTtl: seconds(3600), uid: created.uid });
  expect(updated.etag).not.toBe(created.etag);
  const { lease } = await world.leases.issueLease({ config: 'updated' });
  expect(lease).toMatchObject({ serviceAccount, ttl: seconds(1200) });
});

test('an update with an old etag is refused', async () => {
  const { config } = await setUpStatic(world, 'etag');
  const created = await world.configs.createConfig({ config });
  await world.configs.updateConfig({ config: { name: 'etag', maxTtl: seconds(4000) }, updateMask: ['max_ttl'] });
  const rejection = await rejectionOf(
    world.configs.updateConfig({
      config: { name: 'etag', maxTtl: seconds(5000), etag: created.etag },
      updateMask: ['max_ttl'],
    }),
  );

  expect(rejection).toMatchObject({ code: Status.ABORTED, reason: 'CONFIG_CHANGED' });
  expect(await world.configs.getConfig({ name: 'etag' })).toMatchObject({ maxTtl: seconds(4000) });
});

test('an update of the access is tried on the cluster first', async () => {
  const { config } = await setUpStatic(world, 'new-access');
  const created = await world.configs.createConfig({ config });
  const rejection = await rejectionOf(
    world.configs.updateConfig({
      config: { name: 'new-access', access: directAccess(world.cluster, 'not-a-token') },
      updateMask: ['direct.token'],
    }),
  );

  expect(rejection).toMatchObject({ code: Status.FAILED_PRECONDITION, reason: 'CLUSTER_UNAUTHENTICATED' });
  expect(await world.configs.getConfig({ name: 'new-access' })).toEqual(created);
  await world.leases.issueLease({ config: 'new-access' });
});

test('a stored token is not sent to another url, nor past another check of the certificate', async () => {
  const { config, requester } = await setUpStatic(world, 'moved');
  const created = await world.configs.createConfig({ config });
  const move = (fields: { url?: string; insecureSkipVerify?: boolean; token?: string }) => {
    const { url = world.cluster.url, insecureSkipVerify = false, token = '' } = fields;
    const tls = { caPem: world.cluster.caPem, insecureSkipVerify };
    const config = { name: 'moved', access: { $case: 'direct', value: { url, tls, token } } } as const;
    return world.configs.updateConfig({ config, updateMask: ['direct'] });
  };
  for (const elsewhere of [{ url: 'https://127.0.0.1:1' }, { insecureSkipVerify: true }]) {
    const rejection = await rejectionOf(move(elsewhere));
    expect(rejection).toMatchObject({ code: Status.INVALID_ARGUMENT, fields: ['config.direct.token'] });
  }
  expect(await world.configs.getConfig({ name: 'moved' })).toEqual(created);

  const moved = await move({ insecureSkipVerify: true, token: requester.token });
  expect(moved).toMatchObject({ access: { $case: 'direct', value: { tls: { insecureSkipVerify: true }, token: '' } } });
});

/** The API server remembers for 10 s that a token was good. */
async function untilUnknown(token: string): Promise<void> {
  await eventually(async () => expect(await authenticationStatus(world.cluster, token)).toBe(401));
}

test('leases that were issued under an old token are taken down with the new one', async () => {
  const { config, requester, role } = await setUpDynamic(world, 'rotated');
  await world.configs.createConfig({ config });
  const { lease } = await world.leases.issueLease({ config: 'rotated' });
  const successor = (await setUpDynamic(world, 'unused')).requester;
  await world.admin.bindClusterRole(role, successor.account);
  await world.configs.updateConfig({
    config: { name: 'rotated', access: directAccess(world.cluster, successor.token) },
    updateMask: ['direct.token'],
  });
  await world.admin.core.deleteNamespacedServiceAccount(requester.account);
  await untilUnknown(requester.token);
  const revoked = await world.leases.revokeLease({ id: lease?.id ?? '' });

  expect(revoked.endTime).toBeDefined();
  expect(await world.admin.leaseholdObjects(world.settings.LEASEHOLD_INSTALLATION)).toEqual([]);
});

test('a token can be replaced when the old one is dead', async () => {
  const { config, requester, role } = await setUpDynamic(world, 'dead-token');
  await world.configs.createConfig({ config });
  const successor = (await setUpDynamic(world, 'unused')).requester;
  await world.admin.bindClusterRole(role, successor.account);
  await world.admin.core.deleteNamespacedServiceAccount(requester.account);
  await untilUnknown(requester.token);
  await world.configs.updateConfig({
    config: { name: 'dead-token', access: directAccess(world.cluster, successor.token) },
    updateMask: ['direct.token'],
  });

  expect(await world.admin.leaseholdObjects(world.settings.LEASEHOLD_INSTALLATION)).toEqual([]);
});

test('leases are taken down with their old token where the new one is for something else', async () => {
  const { config } = await setUpDynamic(world, 'narrowed');
  await world.configs.createConfig({ config });
  const { lease } = await world.leases.issueLease({ config: 'narrowed' });
  const fixed = await setUpStatic(world, 'narrowed');
  await world.configs.updateConfig({ config: fixed.config, updateMask: ['direct.token', 'static'] });
  const revoked = await world.leases.revokeLease({ id: lease?.id ?? '' });

  expect(revoked.endTime).toBeDefined();
  expect(await world.admin.leaseholdObjects(world.settings.LEASEHOLD_INSTALLATION)).toEqual([]);
});

test('a name is taken once, also where several ask for it at the same time', async () => {
  const { config } = await setUpStatic(world, 'taken');
  const outcomes = await Promise.allSettled(Array.from({ length: 3 }, () => world.configs.createConfig({ config })));
  const created = outcomes.filter(({ status }) => status === 'fulfilled');
  expect(created).toHaveLength(1);
  for (const outcome of outcomes) {
    if (outcome.status === 'rejected') {
      expect(await rejectionOf(Promise.reject(outcome.reason))).toMatchObject({
        code: Status.ALREADY_EXISTS,
        reason: 'CONFIG_NAME_TAKEN',
      });
    }
  }
});

test('a config cannot be deleted while a lease on it lives', async () => {
  const { config } = await setUpDynamic(world, 'deleted');
  await world.configs.createConfig({ config });
  const { lease } = await world.leases.issueLease({ config: 'deleted' });
  const rejection = await rejectionOf(world.configs.deleteConfig({ name: 'deleted' }));
  expect(rejection).toMatchObject({ code: Status.FAILED_PRECONDITION, reason: 'CONFIG_HAS_LIVE_LEASES' });

  await world.leases.revokeLease({ id: lease?.id ?? '' });
  await world.configs.deleteConfig({ name: 'deleted' });
  expect(await rejectionOf(world.configs.getConfig({ name: 'deleted' }))).toMatchObject({ code: Status.NOT_FOUND });
});
