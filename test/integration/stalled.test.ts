import type { V1PolicyRule } from '@kubernetes/client-node';
import { Status } from 'nice-grpc';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LeaseState } from '../../src/gen/leasehold/v1/lease.ts';
import { eventually } from '../support/eventually.ts';
import { rejectionOf } from '../support/rejection.ts';
import { type DynamicSetup, seconds, setUpDynamic } from '../support/set-ups.ts';
import { openWorld, type World } from '../support/world.ts';

// A lease whose take-down keeps failing: shown, retried without end, ended by force only by an operator.

let world: World;
let dynamic: DynamicSetup;
let rules: V1PolicyRule[];
beforeAll(async () => {
  world = await openWorld({
    LEASEHOLD_STALLED_AFTER: '3',
    LEASEHOLD_RETRY_INITIAL: '0.05',
    LEASEHOLD_RETRY_MAX: '0.5',
    LEASEHOLD_READ_BACK_INTERVAL: '1',
  });
  dynamic = await setUpDynamic(world, 'dynamic', { mayList: true });
  await world.configs.createConfig({ config: dynamic.config });
  rules = (await world.admin.rbac.readClusterRole({ name: dynamic.requester.clusterRole })).rules ?? [];
});
afterAll(() => world.stop());

async function allow(granted: V1PolicyRule[]): Promise<void> {
  const { clusterRole, account } = dynamic.requester;
  const role = await world.admin.rbac.readClusterRole({ name: clusterRole });
  await world.admin.rbac.replaceClusterRole({ name: clusterRole, body: { ...role, rules: granted } });
  await world.admin.waitUntilMay(account, { verb: 'delete', resource: 'serviceaccounts' }, granted.length > 0);
}

async function stalledLease(): Promise<string> {
  const { lease } = await world.leases.issueLease({ config: 'dynamic', ttl: seconds(600) });
  await allow([]);
  const id = lease?.id ?? '';
  await rejectionOf(world.leases.revokeLease({ id }));
  await eventually(async () => expect(await world.leases.getLease({ id })).toMatchObject({ stalled: true }));
  return id;
}

const linesAbout = (id: string) => world.logs.filter((line) => line.includes('lease stalled') && line.includes(id));

test('it is shown with its last error and the next try, told once, and taken down once that is possible', async () => {
  const id = await stalledLease();
  const lease = await eventually(async () => {
    const current = await world.leases.getLease({ id });
    expect(current.tryCount).toBeGreaterThan(5);
    return current;
  });

  expect(lease).toMatchObject({ state: LeaseState.LEASE_STATE_REVOKING, stalled: true });
  expect(lease.lastError).toContain('delete');
  expect(lease.nextTryTime?.getTime()).toBeGreaterThan(lease.createTime?.getTime() ?? 0);
  const { leases } = await world.leases.listLeases({ states: [LeaseState.LEASE_STATE_REVOKING] });
  expect(leases).toMatchObject([{ id, stalled: true }]);
  expect(linesAbout(id)).toHaveLength(1);

  await allow(rules);
  await eventually(async () =>
    expect(await world.leases.getLease({ id })).toMatchObject({
      state: LeaseState.LEASE_STATE_REVOKED,
      stalled: false,
      lastError: '',
    }),
  );
});

test('RevokeLease tries at once, and force ends it unfinished and says so', async () => {
  const id = await stalledLease();
  const { tryCount } = await world.leases.getLease({ id });
  expect(await rejectionOf(world.leases.revokeLease({ id }))).toMatchObject({
    code: Status.FAILED_PRECONDITION,
    reason: 'CLUSTER_FORBIDDEN',
  });
  expect((await world.leases.getLease({ id })).tryCount).toBeGreaterThan(tryCount);

  const forced = await world.leases.revokeLease({ id, force: true });
  expect(forced).toMatchObject({ state: LeaseState.LEASE_STATE_REVOKED, forced: true, stalled: false });
  expect(forced.lastError).toContain('delete');
  expect(await world.admin.leaseholdObjects(world.settings.LEASEHOLD_INSTALLATION)).toHaveLength(2);

  await allow(rules);
  await eventually(async () =>
    expect(await world.admin.leaseholdObjects(world.settings.LEASEHOLD_INSTALLATION)).toEqual([]),
  );
});

test('force on a lease that can be taken down is no more than a revocation', async () => {
  const { lease } = await world.leases.issueLease({ config: 'dynamic' });
  const revoked = await world.leases.revokeLease({ id: lease?.id ?? '', force: true });
  expect(revoked).toMatchObject({ state: LeaseState.LEASE_STATE_REVOKED, forced: false, lastError: '' });
});
