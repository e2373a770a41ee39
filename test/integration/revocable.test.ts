import { afterAll, beforeAll, expect, test } from 'vitest';
import { LeaseState } from '../../src/gen/leasehold/v1/lease.ts';
import { eventually } from '../support/eventually.ts';
import { inTime } from '../support/in-time.ts';
import { rejectionOf } from '../support/rejection.ts';
import { createRequester, STATIC_RULES } from '../support/seed-rbac.ts';
import { type StaticSetup, seconds, setUpStatic } from '../support/set-ups.ts';
import { authenticationStatus, claimsOf, waitForPodsStatus } from '../support/token-use.ts';
import { openWorld, type World } from '../support/world.ts';

// Static leases that can be revoked: the token is bound to a Secret that is made for the lease.

let world: World;
let fixed: StaticSetup;
beforeAll(async () => {
  world = await openWorld();
  fixed = await setUpStatic(world, 'revocable', { revocable: true });
  await world.configs.createConfig({ config: fixed.config });
});
afterAll(() => world.stop());

const ownObjects = () => world.admin.leaseholdObjects(world.settings.LEASEHOLD_INSTALLATION);

async function issue(ttl: number) {
  const { lease, credential } = await world.leases.issueLease({ config: 'revocable', ttl: seconds(ttl) });
  return { id: lease?.id ?? '', lease, token: credential?.token ?? '' };
}

async function expectRefused(token: string): Promise<void> {
  await eventually(async () => expect(await authenticationStatus(world.cluster, token)).toBe(401));
}

test('the trial left no Secret behind', async () => {
  expect(await ownObjects()).toEqual([]);
});

test('its token works, and ends when the lease is revoked', async () => {
  const { id, lease, token } = await issue(900);
  expect(lease?.objects.map(({ kind }) => kind)).toEqual(['Secret']);
  expect(claimsOf(token).sub).toBe(`system:serviceaccount:${fixed.namespace}:${fixed.serviceAccount}`);
  await waitForPodsStatus(world.cluster, token, fixed.namespace, 200);
  const revoked = await world.leases.revokeLease({ id });

  expect(revoked.state).toBe(LeaseState.LEASE_STATE_REVOKED);
  expect(await ownObjects()).toEqual([]);
  await expectRefused(token);
});

test('a renewed token ends with the lease too, and so does the first', async () => {
  const { id, token } = await issue(60);
  const { credential } = await world.leases.renewLease({ id, ttl: seconds(120) });
  await waitForPodsStatus(world.cluster, credential?.token ?? '', fixed.namespace, 200);
  await world.leases.revokeLease({ id });
  await expectRefused(credential?.token ?? '');
  await expectRefused(token);
});

test('it may be shorter than ten minutes', async () => {
  const { id, token } = await inTime(2, async (ttl) => {
    const issued = await issue(ttl);
    expect(Number(issued.lease?.expireTime) - Number(issued.lease?.createTime)).toBe(ttl * 1000);
    return issued;
  });
  await eventually(async () =>
    expect(await world.leases.getLease({ id })).toMatchObject({ state: LeaseState.LEASE_STATE_EXPIRED }),
  );
  await expectRefused(token);
});

test('its account needs to create and delete Secrets: the trial and CheckConfig say so', async () => {
  const poor = await createRequester(world.admin, fixed.namespace, STATIC_RULES);
  const config = { ...fixed.config, name: 'poor', access: await world.accessOf(poor) };
  const rejection = await rejectionOf(world.configs.createConfig({ config }));
  expect(rejection).toMatchObject({
    reason: 'CLUSTER_FORBIDDEN',
    metadata: { verb: 'delete', resource: 'secrets', namespace: fixed.namespace },
  });

  const check = await world.configs.checkConfig({ target: { $case: 'config', value: config } });
  expect(check.allAllowed).toBe(false);
  const lacking = check.permissions.filter(({ allowed }) => !allowed);
  expect(lacking.map(({ verb, resource, optional }) => [verb, resource, optional])).toEqual([
    ['create', 'secrets', false],
    ['delete', 'secrets', false],
    ['get', 'namespaces', true],
  ]);
  await world.admin.apply(world.manifestFor(poor.account, check.missingRbacManifest));
  await world.admin.waitUntilMay(poor.account, { verb: 'delete', resource: 'secrets', namespace: fixed.namespace });
  await world.configs.createConfig({ config });
});
