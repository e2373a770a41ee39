import { Status } from 'nice-grpc';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LeaseState } from '../../../src/gen/leasehold/v1/lease.ts';
import { eventually } from '../../support/eventually.ts';
import { issueSteadily, type SteadyIssuing } from '../../support/issue-steadily.ts';
import { connectTo } from '../../support/leasehold.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { type DynamicSetup, seconds, setUpDynamic } from '../../support/set-ups.ts';
import { openWorld, type World } from '../../support/world.ts';

// Callers go on to issue leases on a config while it is deleted with its leases: the deletion ends.

let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.stop());

async function created(name: string): Promise<DynamicSetup> {
  const setup = await setUpDynamic(world, name);
  await world.configs.createConfig({ config: setup.config });
  return setup;
}

async function underWay(config: string): Promise<SteadyIssuing> {
  const issuing = issueSteadily(world, { config });
  await eventually(async () => expect(issuing.issued.length).toBeGreaterThan(10));
  return issuing;
}

async function liveLeases(config: string): Promise<string[]> {
  const states = [LeaseState.LEASE_STATE_PENDING, LeaseState.LEASE_STATE_ACTIVE, LeaseState.LEASE_STATE_REVOKING];
  return (await world.leases.listLeases({ config, states })).leases.map(({ id }) => id);
}

test('one deletion ends, with all leases, and callers are told why', async () => {
  await created('busy');
  const issuing = await underWay('busy');
  await world.configs.deleteConfig({ name: 'busy', revokeLeases: true });
  await issuing.stop();
  expect(await liveLeases('busy')).toEqual([]);
  const reasons = new Set(issuing.rejections.map(({ reason }) => reason));
  expect([...reasons].filter((reason) => !EXPECTED.has(reason))).toEqual([]);
});

/** What an issue may be told while its config goes. */
const EXPECTED = new Set(['CONFIG_BEING_DELETED', 'CONFIG_NOT_FOUND', 'CONFIG_CHANGED', 'LEASE_ENDED_MEANWHILE'] as (
  | string
  | undefined
)[]);

test('two deletions at once: the config goes, and one of them or both hear so', async () => {
  await created('twice');
  const issuing = await underWay('twice');
  const outcomes = await Promise.allSettled(
    [1, 2].map(() => world.configs.deleteConfig({ name: 'twice', revokeLeases: true })),
  );
  await issuing.stop();
  expect(outcomes.some(({ status }) => status === 'fulfilled')).toBe(true);
  expect(await rejectionOf(world.configs.getConfig({ name: 'twice' }))).toMatchObject({ code: Status.NOT_FOUND });
  expect(await liveLeases('twice')).toEqual([]);
});

test('while leases cannot be taken down none is issued, and after it has failed they are again', async () => {
  const { config, requester } = await created('stuck');
  const request = { config: 'stuck', requestId: 'b4e5d5a1-8f6f-4a07-9f6e-0d8f0a2d7d11' };
  const { lease } = await world.leases.issueLease(request);
  const id = lease?.id ?? '';
  const role = await world.admin.rbac.readClusterRole({ name: requester.clusterRole });
  const withoutDelete = (role.rules ?? []).map((rule) => ({
    ...rule,
    verbs: rule.verbs.filter((verb) => verb !== 'delete'),
  }));
  const replace = (rules: typeof withoutDelete) =>
    world.admin.rbac.replaceClusterRole({
      name: requester.clusterRole,
      body: { metadata: { name: requester.clusterRole }, rules },
    });
  const mayDelete = { verb: 'delete', resource: 'serviceaccounts' };
  await replace(withoutDelete);
  await world.admin.waitUntilMay(requester.account, mayDelete, false);

  const rejection = await rejectionOf(world.configs.deleteConfig({ name: 'stuck', revokeLeases: true }));
  expect(rejection).toMatchObject({ code: Status.FAILED_PRECONDITION, reason: 'LEASES_NOT_REVOKED' });
  expect(rejection.message).toMatch(/leases can be issued on it again/);

  await replace(role.rules ?? []);
  await world.admin.waitUntilMay(requester.account, mayDelete);
  const { lease: later } = await world.leases.issueLease({ config: 'stuck' });
  await eventually(async () => expect((await world.leases.getLease({ id })).endTime).toBeDefined());
  await world.leases.revokeLease({ id: later?.id ?? '' });
  await world.configs.deleteConfig({ name: 'stuck' });
  await world.configs.createConfig({ config });
  expect((await world.leases.issueLease({ config: 'stuck' })).lease?.id).not.toBe(id);
});

test('a config of the same name can be used at once', async () => {
  const { config } = await created('again');
  await world.leases.issueLease({ config: 'again' });
  await world.configs.deleteConfig({ name: 'again', revokeLeases: true });
  await world.configs.createConfig({ config });
  await world.leases.issueLease({ config: 'again' });
});

test('a change of the config meanwhile keeps it, and then leases can be issued again', async () => {
  await created('changed');
  const issuing = await underWay('changed');
  const other = connectTo(world.address);
  const deletion = world.configs.deleteConfig({ name: 'changed', revokeLeases: true });
  // Its version moves on until the deletion is over, one way or the other.
  let isOver = false;
  const over = Promise.allSettled([deletion]).then(([outcome]) => {
    isOver = true;
    return outcome;
  });
  for (let ttl = 1000; !isOver && ttl < 3000; ttl++) {
    const change = { config: { name: 'changed', maxTtl: seconds(ttl) }, updateMask: ['max_ttl'] };
    await other.configs.updateConfig(change).catch(() => undefined);
  }
  const outcome = await over;
  await issuing.stop();
  other.close();
  if (outcome.status === 'rejected') {
    expect(await rejectionOf(Promise.reject(outcome.reason))).toMatchObject({ code: Status.ABORTED });
    await world.leases.issueLease({ config: 'changed' });
    await world.configs.deleteConfig({ name: 'changed', revokeLeases: true });
  }
  expect(await liveLeases('changed')).toEqual([]);
});

test('a batch of a config ends as well, while leases go on to be issued', async () => {
  await created('batch');
  const issuing = await underWay('batch');
  const messages = await Array.fromAsync(
    world.leases.batchRevokeLeases({ target: { $case: 'config', value: 'batch' } }),
  );
  expect(messages.at(-1)).toMatchObject({ done: true, failedCount: 0 });
  await issuing.stop();
  await world.configs.deleteConfig({ name: 'batch', revokeLeases: true });
});
