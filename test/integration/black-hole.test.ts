import { afterAll, beforeAll, expect, test } from 'vitest';
import { LeaseState } from '../../src/gen/leasehold/v1/lease.ts';
import { eventually } from '../support/eventually.ts';
import { directAccess, seconds, setUpDynamic } from '../support/set-ups.ts';
import { type SlowProxy, startSlowProxy } from '../support/slow-proxy.ts';
import { openWorld, type World } from '../support/world.ts';

// A cluster that swallows every call does not hold up the leases of another, though it has more of them than the worker
// takes down at a time.

const WORKER_CONCURRENCY = 16;
const FOR_EVER_MS = 3_600_000;

let world: World;
let proxy: SlowProxy;
beforeAll(async () => {
  world = await openWorld({
    LEASEHOLD_WORKER_CONCURRENCY: `${WORKER_CONCURRENCY}`,
    LEASEHOLD_CLUSTER_CALL_TIMEOUT: '60',
    LEASEHOLD_SETTLE_TIME: '1',
  });
  proxy = await startSlowProxy(world.cluster.url);
  const { config, requester } = await setUpDynamic(world, 'healthy');
  await world.configs.createConfig({ config });
  const access = directAccess({ ...world.cluster, url: proxy.url }, requester.token);
  await world.configs.createConfig({ config: { ...config, name: 'black-hole', access } });
});
afterAll(async () => {
  proxy.stop();
  await world.stop();
});

test('leases of the healthy cluster end in time, while every call to the other still waits', async () => {
  const ttl = seconds(12);
  const swallowed = Array.from({ length: 3 * WORKER_CONCURRENCY }, () =>
    world.leases.issueLease({ config: 'black-hole', ttl }),
  );
  await Promise.all(swallowed);
  const fine = await Promise.all(
    Array.from({ length: WORKER_CONCURRENCY }, () => world.leases.issueLease({ config: 'healthy', ttl })),
  );
  proxy.setDelay(FOR_EVER_MS);

  await eventually(async () => {
    for (const { lease } of fine) {
      expect(await world.leases.getLease({ id: lease?.id ?? '' })).toMatchObject({
        state: LeaseState.LEASE_STATE_EXPIRED,
      });
    }
  });
  const states = [LeaseState.LEASE_STATE_ACTIVE, LeaseState.LEASE_STATE_REVOKING];
  const { leases } = await world.leases.listLeases({ config: 'black-hole', states });
  expect(leases).toHaveLength(swallowed.length);
  expect(leases.map(({ tryCount }) => tryCount)).toEqual(leases.map(() => 0));
});
