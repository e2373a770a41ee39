import { setTimeout as sleep } from 'node:timers/promises';
import type { V1PolicyRule } from '@kubernetes/client-node';
import { Status } from 'nice-grpc';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LeaseState } from '../../src/gen/leasehold/v1/lease.ts';
import { eventually } from '../support/eventually.ts';
import { inTime, TooSlow } from '../support/in-time.ts';
import { rejectionOf } from '../support/rejection.ts';
import { type DynamicSetup, seconds, setUpDynamic } from '../support/set-ups.ts';
import { authenticationStatus, listPodsStatus, waitForPodsStatus } from '../support/token-use.ts';
import { openWorld, type World } from '../support/world.ts';

// A lease's token really works, and really stops.

/** Between two uses of a token. */
const LOOK_MS = 50;

let world: World;
let dynamic: DynamicSetup;
beforeAll(async () => {
  world = await openWorld();
  dynamic = await setUpDynamic(world, 'dynamic');
  await world.configs.createConfig({ config: dynamic.config });
});
afterAll(() => world.stop());

async function issue(ttlSeconds: number) {
  const { lease, credential } = await world.leases.issueLease({ config: 'dynamic', ttl: seconds(ttlSeconds) });
  return { id: lease?.id ?? '', token: credential?.token ?? '', expireTime: lease?.expireTime?.getTime() ?? 0 };
}

async function expectStopped(token: string): Promise<void> {
  await waitForPodsStatus(world.cluster, token, dynamic.namespaces[0], 401, 403);
  await eventually(async () => expect(await authenticationStatus(world.cluster, token)).toBe(401));
}

/** What the API server answers to the token before the lease's end. */
async function untilTheEnd({ token, expireTime }: { token: string; expireTime: number }): Promise<number[]> {
  const answers: number[] = [];
  for (;;) {
    const answer = await listPodsStatus(world.cluster, token, dynamic.namespaces[0]);
    if (Date.now() >= expireTime && answers.length === 0) {
      throw new TooSlow('the lease ended before its token was used');
    }
    if (Date.now() >= expireTime) {
      return answers;
    }
    answers.push(answer);
    await sleep(LOOK_MS);
  }
}

test('a token works until its lease expires, and not after', async () => {
  const { id, token, expireTime } = await inTime(3, async (ttl) => {
    const issued = await issue(ttl);
    await waitForPodsStatus(world.cluster, issued.token, dynamic.namespaces[0], 200);
    const answers = await untilTheEnd(issued);
    expect(new Set(answers)).toEqual(new Set([200]));
    return issued;
  });
  const ended = await eventually(async () => {
    const lease = await world.leases.getLease({ id });
    expect(lease.state).toBe(LeaseState.LEASE_STATE_EXPIRED);
    return lease;
  });

  expect(ended.endTime?.getTime()).toBeGreaterThanOrEqual(expireTime);
  await expectStopped(token);
  expect(await world.admin.leaseholdObjects(world.settings.LEASEHOLD_INSTALLATION)).toEqual([]);
});

test('a token stops when its lease is revoked, and a second revocation changes nothing', async () => {
  const { id, token } = await issue(600);
  await waitForPodsStatus(world.cluster, token, dynamic.namespaces[0], 200);
  const revoked = await world.leases.revokeLease({ id });

  expect(revoked.state).toBe(LeaseState.LEASE_STATE_REVOKED);
  await expectStopped(token);
  expect(await world.leases.revokeLease({ id })).toEqual(revoked);
});

test('objects that are gone already, or replaced by others of the same name, are no obstacle', async () => {
  const { id } = await issue(600);
  const [namespace] = dynamic.namespaces;
  const name = `leasehold-${id}`;
  await world.admin.core.deleteNamespacedServiceAccount({ namespace, name });
  await world.admin.rbac.deleteNamespacedRoleBinding({ namespace, name });
  await world.admin.createServiceAccount(namespace, name);
  const revoked = await world.leases.revokeLease({ id });

  expect(revoked.state).toBe(LeaseState.LEASE_STATE_REVOKED);
  const stranger = await world.admin.core.readNamespacedServiceAccount({ namespace, name });
  expect(stranger.metadata?.labels).toBeUndefined();
});

test('a lease that falls due while no worker runs is taken down when one comes back', async () => {
  await world.stopWorker();
  const { id, token } = await inTime(1, issue);
  await eventually(async () => expect(Date.now()).toBeGreaterThan((await due(id)) + 500));
  await waitForPodsStatus(world.cluster, token, dynamic.namespaces[0], 200);
  await world.startWorker();

  await eventually(async () =>
    expect(await world.leases.getLease({ id })).toMatchObject({ state: LeaseState.LEASE_STATE_EXPIRED }),
  );
  await expectStopped(token);
});

async function due(id: string): Promise<number> {
  return (await world.leases.getLease({ id })).expireTime?.getTime() ?? 0;
}

test('a take-down that the cluster refuses is retried until it is allowed', async () => {
  const stuck = await setUpDynamic(world, 'stuck');
  await world.configs.createConfig({ config: stuck.config });
  const role = await world.admin.rbac.readClusterRole({ name: stuck.requester.clusterRole });
  const allow = async (rules: V1PolicyRule[]) => {
    const { clusterRole, account } = stuck.requester;
    const current = await world.admin.rbac.readClusterRole({ name: clusterRole });
    await world.admin.rbac.replaceClusterRole({ name: clusterRole, body: { ...current, rules } });
    await world.admin.waitUntilMay(account, { verb: 'delete', resource: 'serviceaccounts' }, rules.length > 0);
  };
  const id = await inTime(2, async (ttl) => {
    await allow(role.rules ?? []);
    const { lease } = await world.leases.issueLease({ config: 'stuck', ttl: seconds(ttl) });
    await allow([]);
    if (Date.now() >= Number(lease?.expireTime)) {
      throw new TooSlow('the lease ended before the cluster refused its taking down');
    }
    return lease?.id ?? '';
  });

  const revoking = await eventually(async () => {
    const current = await world.leases.getLease({ id });
    expect(current).toMatchObject({ state: LeaseState.LEASE_STATE_REVOKING });
    expect(current.lastError).toContain('delete');
    return current;
  });
  expect(revoking.endTime).toBeUndefined();

  await allow(role.rules ?? []);
  await eventually(async () =>
    expect(await world.leases.getLease({ id })).toMatchObject({ state: LeaseState.LEASE_STATE_EXPIRED, lastError: '' }),
  );
});

test('a lease has not ended while an object of it waits for its finalizers', async () => {
  const { id, token } = await issue(600);
  const [namespace] = dynamic.namespaces;
  const name = `leasehold-${id}`;
  const binding = await world.admin.rbac.readNamespacedRoleBinding({ namespace, name });
  const finalizers = ['test.leasehold.dev/wait'];
  await world.admin.rbac.replaceNamespacedRoleBinding({
    namespace,
    name,
    body: { ...binding, metadata: { ...binding.metadata, finalizers } },
  });
  const rejection = await rejectionOf(world.leases.revokeLease({ id }));

  expect(rejection).toMatchObject({ code: Status.UNAVAILABLE, reason: 'CLUSTER_NOT_DONE', retry: true });
  expect(rejection.message).toContain(finalizers[0]);
  expect(await world.leases.getLease({ id })).toMatchObject({ state: LeaseState.LEASE_STATE_REVOKING });

  const waiting = await world.admin.rbac.readNamespacedRoleBinding({ namespace, name });
  await world.admin.rbac.replaceNamespacedRoleBinding({
    namespace,
    name,
    body: { ...waiting, metadata: { ...waiting.metadata, finalizers: [] } },
  });
  await eventually(async () =>
    expect(await world.leases.getLease({ id })).toMatchObject({ state: LeaseState.LEASE_STATE_REVOKED }),
  );
  await expectStopped(token);
});
