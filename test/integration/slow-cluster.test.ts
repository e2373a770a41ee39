import { Status } from 'nice-grpc';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LeaseState } from '../../src/gen/leasehold/v1/lease.ts';
import { eventually } from '../support/eventually.ts';
import { rejectionOf } from '../support/rejection.ts';
import { type SlowProxy, startSlowProxy } from '../support/slow-proxy.ts';
import { directAccess, openWorld, seconds, setUpDynamic, type World } from '../support/world.ts';

// What happens to a lease while the cluster takes its time to make it.

let world: World;
let proxy: SlowProxy;
beforeAll(async () => {
  world = await openWorld();
  proxy = await startSlowProxy(world.cluster.url);
  const { config, requester } = await setUpDynamic(world, 'slow');
  const access = directAccess({ ...world.cluster, url: proxy.url }, requester.token);
  await world.configs.createConfig({ config: { ...config, access } });
});
afterAll(async () => {
  await world.stop();
  proxy.stop();
});

async function expectNothingStays(): Promise<void> {
  await eventually(async () => {
    const { leases } = await world.leases.listLeases({});
    expect(leases.every(({ endTime }) => endTime !== undefined)).toBe(true);
    expect(await world.admin.leaseholdObjects(world.settings.LEASEHOLD_INSTALLATION)).toEqual([]);
  });
}

test('a lease whose time passes while it is being issued is undone, and its caller is told', async () => {
  proxy.setDelay(700);
  const call = rejectionOf(world.leases.issueLease({ config: 'slow', ttl: seconds(1) }));
  expect(await call).toMatchObject({ code: Status.ABORTED, reason: 'LEASE_ENDED_MEANWHILE', retry: true });
  proxy.setDelay(0);

  await expectNothingStays();
});

test('a lease is not revoked while it is being issued', async () => {
  proxy.setDelay(700);
  const issued = world.leases.issueLease({ config: 'slow' });
  const pending = await eventually(async () => {
    const { leases } = await world.leases.listLeases({ states: [LeaseState.LEASE_STATE_PENDING] });
    expect(leases).toHaveLength(1);
    return leases[0];
  });
  const rejection = await rejectionOf(world.leases.revokeLease({ id: pending?.id ?? '' }));
  expect(rejection).toMatchObject({ code: Status.ABORTED, reason: 'LEASE_BEING_ISSUED', retry: true });
  proxy.setDelay(0);

  const { lease } = await issued;
  await world.leases.revokeLease({ id: lease?.id ?? '' });
  await expectNothingStays();
});

test.each([
  ['the service account', 150],
  ['its binding and token', 450],
])('a caller who gives up while the cluster makes %s gets no lease', async (_, deadline) => {
  proxy.setDelay(300);
  const rejection = await rejectionOf(world.leases.issueLease({ config: 'slow' }, { deadline }));
  expect(rejection.code).toBe(Status.DEADLINE_EXCEEDED);
  proxy.setDelay(0);

  await expectNothingStays();
});
