import { randomUUID } from 'node:crypto';
import { Status } from 'nice-grpc';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LeaseState } from '../../src/gen/leasehold/v1/lease.ts';
import type { BatchRevokeLeasesRequest, DeepPartial } from '../../src/gen/leasehold/v1/lease_service.ts';
import { eventually } from '../support/eventually.ts';
import { rejectionOf } from '../support/rejection.ts';
import { type DynamicSetup, setUpDynamic } from '../support/set-ups.ts';
import { openWorld, type World } from '../support/world.ts';

// Many leases are revoked at once, as after an incident.

let world: World;
let dynamic: DynamicSetup;
beforeAll(async () => {
  world = await openWorld();
  dynamic = await setUpDynamic(world, 'one');
  await world.configs.createConfig({ config: { ...dynamic.config, labels: { team: 'payments' } } });
  await world.configs.createConfig({ config: { ...dynamic.config, name: 'two', labels: { team: 'search' } } });
});
afterAll(() => world.stop());

async function issue(config: string, count: number): Promise<string[]> {
  const issued = await Promise.all(Array.from({ length: count }, () => world.leases.issueLease({ config })));
  return issued.map(({ lease }) => lease?.id ?? '').sort();
}

async function revokeAll(request: DeepPartial<BatchRevokeLeasesRequest>) {
  const messages = await Array.fromAsync(world.leases.batchRevokeLeases(request));
  return { last: messages.at(-1), outcomes: messages.flatMap(({ outcomes }) => outcomes) };
}

async function liveLeases(): Promise<string[]> {
  const states = [LeaseState.LEASE_STATE_ACTIVE, LeaseState.LEASE_STATE_REVOKING];
  return (await world.leases.listLeases({ states })).leases.map(({ id }) => id).sort();
}

test.each([
  ['a config', { $case: 'config', value: 'one' }],
  ['labels of configs', { $case: 'labels', value: { matchLabels: { team: 'payments' } } }],
] as const)('those of %s, and no others', async (_, target) => {
  const ids = await issue('one', 5);
  const others = await issue('two', 2);
  const { last, outcomes } = await revokeAll({ target });

  expect(outcomes.map(({ leaseId }) => leaseId).sort()).toEqual(ids);
  expect(outcomes.every(({ state, error }) => state === LeaseState.LEASE_STATE_REVOKED && error === '')).toBe(true);
  expect(last).toMatchObject({ done: true, revokedCount: 5, failedCount: 0 });
  expect(await liveLeases()).toEqual(others);
  await revokeAll({ target: { $case: 'principal', value: 'apikey:tests' } });
  expect(await liveLeases()).toEqual([]);
});

test('all of them, and nothing stays in the cluster', async () => {
  await issue('one', 3);
  await issue('two', 3);
  const { last } = await revokeAll({ target: { $case: 'all', value: true } });
  expect(last).toMatchObject({ done: true, revokedCount: 6 });
  expect(await world.admin.leaseholdObjects(world.settings.LEASEHOLD_INSTALLATION)).toEqual([]);
});

test('it goes on past a lease that fails, and tells why', async () => {
  const stuck = await setUpDynamic(world, 'stuck');
  await world.configs.createConfig({ config: stuck.config });
  const [failing = ''] = await issue('stuck', 1);
  const fine = await issue('one', 2);
  const role = await world.admin.rbac.readClusterRole({ name: stuck.requester.clusterRole });
  await world.admin.rbac.replaceClusterRole({ name: stuck.requester.clusterRole, body: { ...role, rules: [] } });
  await world.admin.waitUntilMay(stuck.requester.account, { verb: 'delete', resource: 'serviceaccounts' }, false);
  const { last, outcomes } = await revokeAll({ target: { $case: 'all', value: true } });

  expect(last).toMatchObject({ done: true, revokedCount: 2, failedCount: 1 });
  const failed = outcomes.filter(({ error }) => error !== '');
  expect(failed).toMatchObject([{ leaseId: failing, state: LeaseState.LEASE_STATE_REVOKING }]);
  expect(failed[0]?.error).toContain('delete serviceaccounts');
  expect(outcomes.map(({ leaseId }) => leaseId)).toEqual(expect.arrayContaining(fine));

  const forbidden = await world.admin.rbac.readClusterRole({ name: stuck.requester.clusterRole });
  await world.admin.rbac.replaceClusterRole({
    name: stuck.requester.clusterRole,
    body: { ...forbidden, rules: role.rules ?? [] },
  });
  await eventually(async () => expect(await liveLeases()).toEqual([]));
});

test('it goes on without its caller and without a worker for a while; asked again, it tells everything', async () => {
  const ids = await issue('one', 4);
  await world.stopWorker();
  const request = { target: { $case: 'config', value: 'one' }, requestId: randomUUID() } as const;
  const leaving = new AbortController();
  const following = expect(
    Array.fromAsync(world.leases.batchRevokeLeases(request, { signal: leaving.signal })),
  ).rejects.toThrow('aborted');
  await eventually(async () => expect(world.logs.join()).toContain(request.requestId));
  leaving.abort();
  await following;
  expect(await liveLeases()).toEqual(ids);
  await world.startWorker();

  await eventually(async () => expect(await liveLeases()).toEqual([]));
  const { last, outcomes } = await revokeAll(request);
  expect(outcomes.map(({ leaseId }) => leaseId).sort()).toEqual(ids);
  expect(last).toMatchObject({ done: true, batchId: request.requestId, revokedCount: 4 });
});

test('a request_id that was used for another batch is refused', async () => {
  const requestId = randomUUID();
  await revokeAll({ target: { $case: 'config', value: 'one' }, requestId });
  expect(await rejectionOf(revokeAll({ target: { $case: 'all', value: true }, requestId }))).toMatchObject({
    code: Status.ALREADY_EXISTS,
    reason: 'REQUEST_ID_REUSED',
  });
});

test.each([
  ['no target', {}, 'target'],
  ['all that is false', { target: { $case: 'all', value: false } }, 'all'],
  ['no label', { target: { $case: 'labels', value: { matchLabels: {} } } }, 'labels.match_labels'],
  ['a bad config name', { target: { $case: 'config', value: 'NO' } }, 'config'],
  ['a bad request_id', { target: { $case: 'all', value: true }, requestId: 'x' }, 'request_id'],
] as const)('%s is refused', async (_, request, field) => {
  expect(await rejectionOf(revokeAll(request))).toMatchObject({ code: Status.INVALID_ARGUMENT, fields: [field] });
});

test('DeleteConfig with revoke_leases takes the leases down first', async () => {
  await world.configs.createConfig({ config: { ...dynamic.config, name: 'doomed' } });
  const [id = ''] = await issue('doomed', 3);
  expect(await rejectionOf(world.configs.deleteConfig({ name: 'doomed' }))).toMatchObject({
    code: Status.FAILED_PRECONDITION,
    reason: 'CONFIG_HAS_LIVE_LEASES',
  });
  await world.configs.deleteConfig({ name: 'doomed', revokeLeases: true });

  expect(await world.leases.getLease({ id })).toMatchObject({ state: LeaseState.LEASE_STATE_REVOKED });
  expect(await rejectionOf(world.configs.getConfig({ name: 'doomed' }))).toMatchObject({ code: Status.NOT_FOUND });
  expect(await world.admin.leaseholdObjects(world.settings.LEASEHOLD_INSTALLATION)).toEqual([]);
});
