import { afterAll, beforeAll, expect, test } from 'vitest';
import { LeaseState } from '../../src/gen/leasehold/v1/lease.ts';
import { createDynamicRequester } from '../support/seed-rbac.ts';
import { directAccess, setUpDynamic } from '../support/set-ups.ts';
import { type SlowProxy, startSlowProxy } from '../support/slow-proxy.ts';
import { openWorld, type World } from '../support/world.ts';

// A lease is not stranded by what becomes of its config. The proxy stands for another cluster: it is another URL.

let world: World;
let elsewhere: SlowProxy;
beforeAll(async () => {
  world = await openWorld();
  elsewhere = await startSlowProxy(world.cluster.url);
});
afterAll(async () => {
  await world.stop();
  elsewhere.stop();
});

test('a token that was rotated before the config moved still takes down what an older one made', async () => {
  const { config, requester, role, namespaces } = await setUpDynamic(world, 'moving');
  await world.configs.createConfig({ config });
  const { lease } = await world.leases.issueLease({ config: 'moving' });
  const next = await createDynamicRequester(world.admin, namespaces[0], { clusterRole: role });
  const update = (cluster: { url: string; caPem: string }) =>
    world.configs.updateConfig({
      config: { name: 'moving', access: directAccess(cluster, next.token) },
      updateMask: ['direct'],
    });

  await update(world.cluster);
  const { account, clusterRole } = requester;
  await world.admin.rbac.deleteClusterRole({ name: clusterRole });
  await world.admin.waitUntilMay(account, { verb: 'delete', resource: 'serviceaccounts' }, false);
  await update({ ...world.cluster, url: elsewhere.url });

  const revoked = await world.leases.revokeLease({ id: lease?.id ?? '' });
  expect(revoked.state).toBe(LeaseState.LEASE_STATE_REVOKED);
  expect(await world.admin.leaseholdObjects(world.settings.LEASEHOLD_INSTALLATION)).toEqual([]);
});
