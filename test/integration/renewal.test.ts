import { Status } from 'nice-grpc';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { RoleKind } from '../../src/gen/leasehold/v1/config.ts';
import { LeaseState } from '../../src/gen/leasehold/v1/lease.ts';
import { eventually } from '../support/eventually.ts';
import { inTime, TooSlow } from '../support/in-time.ts';
import { rejectionOf } from '../support/rejection.ts';
import { type DynamicSetup, seconds, setUpDynamic, setUpStatic } from '../support/set-ups.ts';
import { claimsOf, listPodsStatus, waitForPodsStatus } from '../support/token-use.ts';
import { openWorld, type World } from '../support/world.ts';

// A renewed lease: the same account, a new token, a later end.

let world: World;
let dynamic: DynamicSetup;
beforeAll(async () => {
  world = await openWorld();
  dynamic = await setUpDynamic(world, 'dynamic');
  await world.configs.createConfig({ config: dynamic.config });
  await world.configs.createConfig({ config: (await setUpStatic(world, 'static')).config });
});
afterAll(() => world.stop());

async function issue(config: string, ttl: number) {
  const { lease, credential } = await world.leases.issueLease({ config, ttl: seconds(ttl) });
  return { id: lease?.id ?? '', lease, token: credential?.token ?? '' };
}

const timeOf = (date: Date | undefined) => date?.getTime() ?? Number.NaN;

test('a renewed lease outlives its first end, and is taken down at its new one', async () => {
  const { id, renewed } = await inTime(2, async (ttl) => {
    const { id, lease, token } = await issue('dynamic', ttl);
    const renewed = await world.leases.renewLease({ id, ttl: seconds(3 * ttl) });
    const end = timeOf(renewed.lease?.expireTime);

    expect(end).toBeGreaterThan(timeOf(lease?.expireTime) + 1000);
    expect(renewed.lease).toMatchObject({ id, state: LeaseState.LEASE_STATE_ACTIVE });
    expect(claimsOf(renewed.credential?.token ?? '').sub).toBe(claimsOf(token).sub);
    await eventually(async () => expect(Date.now()).toBeGreaterThan(timeOf(lease?.expireTime) + 1000));
    const answers = [
      await listPodsStatus(world.cluster, renewed.credential?.token ?? '', dynamic.namespaces[0]),
      await listPodsStatus(world.cluster, token, dynamic.namespaces[0]),
    ];
    if (Date.now() >= end) {
      throw new TooSlow('the renewed lease ended before its tokens were used');
    }
    expect(answers).toEqual([200, 200]);
    return { id, renewed };
  });

  const ended = await eventually(async () => {
    const current = await world.leases.getLease({ id });
    expect(current).toMatchObject({ state: LeaseState.LEASE_STATE_EXPIRED });
    return current;
  });
  expect(timeOf(ended.endTime)).toBeGreaterThanOrEqual(timeOf(renewed.lease?.expireTime));
  await waitForPodsStatus(world.cluster, renewed.credential?.token ?? '', dynamic.namespaces[0], 401, 403);
});

test('never past max_ttl from the issue, and the end never comes nearer', async () => {
  const { id, lease } = await issue('dynamic', 3000);
  const latest = timeOf(lease?.createTime) + 3600_000;
  const renewed = await world.leases.renewLease({ id, ttl: seconds(3600) });
  const end = timeOf(renewed.lease?.expireTime);
  expect(end).toBeLessThanOrEqual(latest);
  // Tokens expire on whole seconds.
  expect(end).toBeGreaterThan(latest - 1000);
  const shorter = await world.leases.renewLease({ id, ttl: seconds(1) });
  expect(timeOf(shorter.lease?.expireTime)).toBe(end);
  await waitForPodsStatus(world.cluster, shorter.credential?.token ?? '', dynamic.namespaces[0], 200);
});

test('a static lease ends with its newest token', async () => {
  const { id } = await issue('static', 600);
  const { lease, credential } = await world.leases.renewLease({ id, ttl: seconds(1200) });
  expect(timeOf(lease?.expireTime)).toBe(claimsOf(credential?.token ?? '').exp * 1000);
  expect(timeOf(lease?.tokenExpireTime)).toBe(timeOf(lease?.expireTime));
});

test('a static lease is not renewed where its next token would outlast max_ttl', async () => {
  const { config } = await setUpStatic(world, 'short');
  await world.configs.createConfig({ config: { ...config, defaultTtl: seconds(600), maxTtl: seconds(600) } });
  const { id, lease } = await issue('short', 600);
  await eventually(async () => expect(Date.now()).toBeGreaterThan(timeOf(lease?.createTime)));
  expect(await rejectionOf(world.leases.renewLease({ id }))).toMatchObject({
    code: Status.FAILED_PRECONDITION,
    reason: 'LEASE_AT_MAX_TTL',
  });
});

test.each([
  ['above max_ttl', { ttl: seconds(3601) }],
  ['of nothing', { ttl: seconds(0) }],
])('a ttl %s is refused, and changes nothing', async (_, request) => {
  const { id, lease } = await issue('dynamic', 60);
  const rejection = await rejectionOf(world.leases.renewLease({ id, ...request }));
  expect(rejection).toMatchObject({ code: Status.INVALID_ARGUMENT, fields: ['ttl'] });
  expect(await world.leases.getLease({ id })).toEqual(lease);
});

test('a lease that is revoked, or being taken down, cannot be renewed', async () => {
  const { id } = await issue('dynamic', 60);
  await world.leases.revokeLease({ id });
  expect(await rejectionOf(world.leases.renewLease({ id }))).toMatchObject({
    code: Status.FAILED_PRECONDITION,
    reason: 'LEASE_NOT_ACTIVE',
  });
});

test('a lease that the config would not grant any more cannot be renewed', async () => {
  const changing = await setUpDynamic(world, 'changing', { namespaces: 2 });
  await world.configs.createConfig({ config: changing.config });
  const [first, second = ''] = changing.namespaces;
  const { lease } = await world.leases.issueLease({ config: 'changing', namespace: first });
  const role = { kind: RoleKind.ROLE_KIND_CLUSTER_ROLE, name: changing.role };
  await world.configs.updateConfig({
    config: { name: 'changing', credential: { $case: 'dynamic', value: { allowedNamespaces: [second], role } } },
    updateMask: ['dynamic'],
  });

  expect(await rejectionOf(world.leases.renewLease({ id: lease?.id ?? '' }))).toMatchObject({
    code: Status.FAILED_PRECONDITION,
    reason: 'LEASE_NOT_GRANTED_ANY_MORE',
  });
});
