import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Lease, LeaseState } from '../../../src/gen/leasehold/v1/lease.ts';
import { type DocumentedConfig, type DocumentedKind, setUpDocumented } from '../../support/documented-config.ts';
import { eventually } from '../../support/eventually.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { openWorld, type World } from '../../support/world.ts';

// A namespace is deleted, and the Role that let Leasehold delete there goes with it.

let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.stop());

const KINDS: DocumentedKind[] = ['dynamic', 'static-revocable', 'cluster-wide'];

async function setUp(kind: DocumentedKind, options?: { mayReadNamespace: boolean }): Promise<DocumentedConfig> {
  const setup = await setUpDocumented(world, kind, options);
  await world.configs.createConfig({ config: setup.config });
  return setup;
}

async function issueOn({ name }: DocumentedConfig): Promise<string> {
  const { lease } = await world.leases.issueLease({ config: name });
  return lease?.id ?? '';
}

/** The authorizer hears of it a moment later. */
async function deleteNamespace({ namespace, account }: DocumentedConfig): Promise<void> {
  await world.admin.deleteNamespace(namespace);
  await roleIsGone({ namespace, account });
}

async function roleIsGone({ namespace, account }: Pick<DocumentedConfig, 'namespace' | 'account'>): Promise<void> {
  for (const resource of ['serviceaccounts', 'secrets']) {
    await world.admin.waitUntilMay(account, { verb: 'delete', resource, namespace }, false);
  }
}

async function liveLeasesOf({ name }: DocumentedConfig): Promise<Lease[]> {
  const { leases } = await world.leases.listLeases({
    config: name,
    states: [LeaseState.LEASE_STATE_PENDING, LeaseState.LEASE_STATE_ACTIVE, LeaseState.LEASE_STATE_REVOKING],
  });
  return leases;
}

const objects = () => world.admin.leaseholdObjects(world.settings.LEASEHOLD_INSTALLATION);

/** Tries once more now, as an operator does; what is still refused stays as it is. */
async function tryAgain(id: string): Promise<Lease> {
  await world.leases.revokeLease({ id }).catch(() => undefined);
  return world.leases.getLease({ id });
}

async function deleteConfig({ name }: DocumentedConfig, revokeLeases = true): Promise<void> {
  const { etag } = await world.configs.getConfig({ name });
  await world.configs.deleteConfig({ name, etag, revokeLeases });
}

describe.each(KINDS)('where the namespace may be read: %s', (kind) => {
  test.each([
    ['it is gone', async () => undefined],
    [
      'another one has its name',
      async ({ namespace }: DocumentedConfig) =>
        void (await world.admin.core.createNamespace({ body: { metadata: { name: namespace } } })),
    ],
  ])('the leases in it end: %s', async (_, afterwards) => {
    const setup = await setUp(kind);
    const [first, second] = [await issueOn(setup), await issueOn(setup)];
    await deleteNamespace(setup);
    await afterwards(setup);

    expect(await world.leases.revokeLease({ id: first })).toMatchObject({
      state: LeaseState.LEASE_STATE_REVOKED,
      forced: false,
      lastError: '',
    });
    // What stands outside of the namespace is deleted itself.
    expect(await objects()).toEqual(kind === 'cluster-wide' ? [`leasehold-${second}`] : []);
    await deleteConfig(setup);
    expect(await world.leases.getLease({ id: second })).toMatchObject({ state: LeaseState.LEASE_STATE_REVOKED });
    expect(await objects()).toEqual([]);
  });
});

test('a lease ends by itself after its namespace is deleted', async () => {
  const setup = await setUp('dynamic');
  const { lease } = await world.leases.issueLease({ config: setup.name, ttl: { seconds: 3n, nanos: 0 } });
  await deleteNamespace(setup);
  await eventually(async () =>
    expect(await world.leases.getLease({ id: lease?.id ?? '' })).toMatchObject({
      state: LeaseState.LEASE_STATE_EXPIRED,
    }),
  );
});

test('nothing is issued in a namespace that is gone, and nothing of it stays', async () => {
  const setup = await setUp('dynamic');
  await deleteNamespace(setup);
  await rejectionOf(issueOn(setup));
  await rejectionOf(issueOn(setup));
  expect(await liveLeasesOf(setup)).toEqual([]);
  await deleteConfig(setup, false);
});

test('while a namespace is Terminating its leases are retried, and the reason says so', async () => {
  const setup = await setUp('dynamic');
  const id = await issueOn(setup);
  await world.admin.beginDeletingNamespace(setup.namespace);
  await world.admin.rbac.deleteCollectionNamespacedRoleBinding({
    namespace: setup.namespace,
    labelSelector: '!app.kubernetes.io/managed-by',
  });
  await roleIsGone(setup);
  const waiting = await tryAgain(id);
  expect(waiting).toMatchObject({ state: LeaseState.LEASE_STATE_REVOKING });
  expect(waiting.lastError).toMatch(/namespace ".*" is being deleted \(Terminating\)/i);
  expect(await objects()).not.toEqual([]);

  await world.admin.deleteNamespace(setup.namespace);
  await eventually(async () => expect(await tryAgain(id)).toMatchObject({ state: LeaseState.LEASE_STATE_REVOKED }));
});

test('a namespace that is there proves nothing: its leases wait for the permission to delete', async () => {
  const setup = await setUp('dynamic');
  const id = await issueOn(setup);
  await world.admin.rbac.deleteCollectionNamespacedRoleBinding({
    namespace: setup.namespace,
    labelSelector: '!app.kubernetes.io/managed-by',
  });
  await roleIsGone(setup);
  const waiting = await tryAgain(id);
  expect(waiting).toMatchObject({ state: LeaseState.LEASE_STATE_REVOKING });
  expect(waiting.lastError).toMatch(/still exists: restore the permissions/);
  expect(await objects()).not.toEqual([]);

  await setup.applyRole();
  await eventually(async () => expect(await tryAgain(id)).toMatchObject({ state: LeaseState.LEASE_STATE_REVOKED }));
  expect(await objects()).toEqual([]);
});

describe.each(KINDS)('where the namespace may not be read: %s', (kind) => {
  test('the leases stay, say what to do, and end once it may be read', async () => {
    const setup = await setUp(kind, { mayReadNamespace: false });
    const id = await issueOn(setup);
    await deleteNamespace(setup);
    const { code, message } = await rejectionOf(world.leases.revokeLease({ id }));
    expect(code).toBeDefined();
    const waiting = await world.leases.getLease({ id });
    expect(waiting).toMatchObject({ state: LeaseState.LEASE_STATE_REVOKING, lastError: message });
    for (const word of ['forbidden', `"${setup.namespace}" was deleted`, 'grant it "get"', 'with force']) {
      expect(waiting.lastError).toContain(word);
    }

    await setup.mayReadNamespace();
    await eventually(async () =>
      expect(await world.leases.getLease({ id })).toMatchObject({ state: LeaseState.LEASE_STATE_REVOKED }),
    );
    await deleteConfig(setup, false);
  });
});

test('a lease that does not know its namespace ends only when there is none of that name', async () => {
  const setup = await setUp('dynamic', { mayReadNamespace: false });
  const id = await issueOn(setup);
  await deleteNamespace(setup);
  await world.admin.core.createNamespace({ body: { metadata: { name: setup.namespace } } });
  await setup.mayReadNamespace();
  const waiting = await tryAgain(id);
  expect(waiting).toMatchObject({ state: LeaseState.LEASE_STATE_REVOKING });
  expect(waiting.lastError).toContain('may have been deleted and created again');

  await world.admin.deleteNamespace(setup.namespace);
  await eventually(async () => expect(await tryAgain(id)).toMatchObject({ state: LeaseState.LEASE_STATE_REVOKED }));
});

test('a batch ends them by force, tells so, and the config can be deleted', async () => {
  const setup = await setUp('dynamic', { mayReadNamespace: false });
  const ids = [await issueOn(setup), await issueOn(setup)].sort();
  await deleteNamespace(setup);
  const revokeAll = async (force: boolean) => {
    const target = { $case: 'config', value: setup.name } as const;
    const messages = await Array.fromAsync(world.leases.batchRevokeLeases({ target, force }));
    return { last: messages.at(-1), outcomes: messages.flatMap(({ outcomes }) => outcomes) };
  };
  expect((await revokeAll(false)).last).toMatchObject({ done: true, revokedCount: 0, failedCount: 2 });
  expect(await rejectionOf(deleteConfig(setup))).toMatchObject({ reason: 'LEASES_NOT_REVOKED' });

  const { last, outcomes } = await revokeAll(true);
  expect(last).toMatchObject({ done: true, revokedCount: 2, failedCount: 0 });
  expect(outcomes.map(({ leaseId }) => leaseId).sort()).toEqual(ids);
  for (const outcome of outcomes) {
    expect(outcome).toMatchObject({ state: LeaseState.LEASE_STATE_REVOKED, forced: true });
    expect(outcome.error).toContain('may not delete here any more');
    expect(await world.leases.getLease({ id: outcome.leaseId })).toMatchObject({ forced: true });
  }
  await deleteConfig(setup, false);
});
