import { randomUUID } from 'node:crypto';
import { Status } from 'nice-grpc';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { BindingScope } from '../../../src/gen/leasehold/v1/config.ts';
import { LeaseState } from '../../../src/gen/leasehold/v1/lease.ts';
import type { IssueLeaseResponse, RenewLeaseResponse } from '../../../src/gen/leasehold/v1/lease_service.ts';
import { type RunningServer, startServer } from '../../../src/server/start-server.ts';
import { createLogger } from '../../../src/shared/telemetry/logger.ts';
import { type DoublingProxy, startDoublingProxy } from '../../support/doubling-proxy.ts';
import { eventually } from '../../support/eventually.ts';
import { connectTo, type LeaseholdClient } from '../../support/leasehold.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { directAccess, setUpDynamic, setUpStatic } from '../../support/set-ups.ts';
import { authenticationStatus } from '../../support/token-use.ts';
import { openWorld, type World } from '../../support/world.ts';

// The same request twice at the same moment: by a caller, at two servers, or by something in front of the cluster.

const AT_ONCE = 24;

let world: World;
let other: RunningServer;
let clients: [LeaseholdClient, LeaseholdClient];
beforeAll(async () => {
  world = await openWorld();
  other = await startServer(world.settings, createLogger('other', 'silent'));
  clients = [world, connectTo(other.address)];
  await world.configs.createConfig({ config: (await setUpDynamic(world, 'dynamic')).config });
  await world.configs.createConfig({ config: (await setUpStatic(world, 'revocable', { revocable: true })).config });
  await world.configs.createConfig({ config: (await setUpStatic(world, 'static')).config });
});
afterAll(async () => {
  clients[1].close();
  await other.stop();
  await world.stop();
});

const objects = () => world.admin.leaseholdObjects(world.settings.LEASEHOLD_INSTALLATION);

/** So many calls at once, by turns at one server and the other. */
function atOnce<T>(call: (client: LeaseholdClient, index: number) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: AT_ONCE }, (_, index) => call(clients[index % 2 === 0 ? 0 : 1], index)));
}

/** All are of one lease, as it is stored now at the latest, and each has a token that works. */
async function expectOneLease(answers: (IssueLeaseResponse | RenewLeaseResponse)[]): Promise<string> {
  const ids = new Set(answers.map(({ lease }) => lease?.id ?? ''));
  expect(ids.size).toBe(1);
  const [id = ''] = ids;
  const stored = await world.leases.getLease({ id });
  expect(stored.state).toBe(LeaseState.LEASE_STATE_ACTIVE);
  for (const { lease, credential } of answers) {
    expect(lease?.expireTime?.getTime()).toBeLessThanOrEqual(stored.expireTime?.getTime() ?? 0);
    expect(credential?.tokenExpireTime?.getTime()).toBeLessThanOrEqual(stored.tokenExpireTime?.getTime() ?? 0);
    expect(await authenticationStatus(world.cluster, credential?.token ?? '')).toBe(201);
  }
  return id;
}

describe.each(['dynamic', 'revocable', 'static'])('at once, at two servers: %s', (config) => {
  test('equal IssueLease with one request_id all get the lease', async () => {
    const requestId = randomUUID();
    const answers = await atOnce((client) => client.leases.issueLease({ config, requestId }));
    await world.leases.revokeLease({ id: await expectOneLease(answers) });
    expect(await objects()).toEqual([]);
  });

  test('RenewLease all get a token', async () => {
    const { lease } = await world.leases.issueLease({ config });
    const id = lease?.id ?? '';
    // Each asks for another end.
    const answers = await atOnce((client, index) =>
      client.leases.renewLease({ id, ttl: { seconds: BigInt(1000 + index), nanos: 0 } }),
    );
    await expectOneLease(answers);
    await world.leases.revokeLease({ id });
  });

  test('RenewLease and RevokeLease: the lease ends, and nobody is told to try again', async () => {
    const { lease } = await world.leases.issueLease({ config });
    const id = lease?.id ?? '';
    const outcomes = await atOnce((client, index) => {
      const call: Promise<unknown> =
        index % 4 < 2 ? client.leases.revokeLease({ id }) : client.leases.renewLease({ id });
      return call.then(
        () => undefined,
        () => rejectionOf(call),
      );
    });
    for (const outcome of outcomes) {
      expect(outcome?.code ?? Status.FAILED_PRECONDITION).toBe(Status.FAILED_PRECONDITION);
      expect(outcome?.reason ?? 'LEASE_NOT_ACTIVE').toMatch(/^(?:LEASE_NOT_ACTIVE|CLUSTER_NOT_FOUND|CLUSTER_REFUSED)$/);
    }
    expect(await world.leases.getLease({ id })).toMatchObject({ state: LeaseState.LEASE_STATE_REVOKED });
    expect(await objects()).toEqual([]);
  });
});

describe('creations that are sent to the cluster twice', () => {
  let proxy: DoublingProxy;
  beforeAll(async () => {
    proxy = await startDoublingProxy(world.cluster);
  });
  afterEach(() => {
    proxy.doubles = 0;
    proxy.beforeCreate = async () => undefined;
  });
  afterAll(() => proxy.stop());

  const SET_UPS = {
    dynamic: (name: string, mayList: boolean) => setUpDynamic(world, name, { mayList }),
    'cluster-wide': (name: string, mayList: boolean) =>
      setUpDynamic(world, name, { mayList, bindingScope: BindingScope.BINDING_SCOPE_CLUSTER }),
    revocable: (name: string, _mayList: boolean) => setUpStatic(world, name, { revocable: true }),
  };

  async function setUp(kind: keyof typeof SET_UPS, mayList: boolean): Promise<string> {
    const name = `twice-${randomUUID().slice(0, 8)}`;
    const { config, requester } = await SET_UPS[kind](name, mayList);
    const access = directAccess(proxy, requester.token);
    await world.configs.createConfig({ config: { ...config, access } });
    return name;
  }

  test.each([
    ['dynamic', 'all of them', true, Number.POSITIVE_INFINITY],
    ['cluster-wide', 'all of them', true, Number.POSITIVE_INFINITY],
    // The accounts of these tests may get service accounts, but not bindings.
    ['dynamic', 'the account, which may be read', false, 1],
    ['dynamic', 'the account and the binding, which may not be looked at', false, 2],
    ['dynamic', 'the same twice in a row', false, 4],
    ['cluster-wide', 'the account and the binding, which may not be looked at', false, 2],
    ['revocable', 'the Secret, which may not be listed', false, 1],
  ] as const)('%s: %s', async (kind, _, mayList, doubles) => {
    const config = await setUp(kind, mayList);
    proxy.doubles = doubles;
    const requestId = randomUUID();
    const { lease, credential } = await world.leases.issueLease({ config, requestId });
    proxy.doubles = 0;
    expect(lease?.objects.every(({ uid }) => uid !== '')).toBe(true);
    expect(await authenticationStatus(world.cluster, credential?.token ?? '')).toBe(201);
    // What was begun before under another name has gone again.
    expect(new Set(await objects())).toEqual(new Set(lease?.objects.map(({ name }) => name)));
    expect((await world.leases.issueLease({ config, requestId })).lease?.id).toBe(lease?.id);
    expect((await world.leases.revokeLease({ id: lease?.id ?? '' })).state).toBe(LeaseState.LEASE_STATE_REVOKED);
    expect(await objects()).toEqual([]);
  });

  test('a config can be created where all creations are sent twice', async () => {
    proxy.doubles = Number.POSITIVE_INFINITY;
    await setUp('dynamic', true);
    proxy.doubles = 0;
    expect(await objects()).toEqual([]);
  });

  test('where it never ends and nothing may be listed, the caller is told why, and nothing stays', async () => {
    const config = await setUp('dynamic', false);
    proxy.doubles = Number.POSITIVE_INFINITY;
    const rejection = await rejectionOf(world.leases.issueLease({ config }));
    proxy.doubles = 0;
    expect(rejection).toMatchObject({ code: Status.ABORTED, reason: 'OBJECT_NAME_TAKEN', retry: true });
    expect(rejection.message).toContain('get or list rolebindings');
    expect(await objects()).toEqual([]);
  });

  test("somebody else's object of the same name is neither used nor removed", async () => {
    const config = await setUp('dynamic', true);
    const planted: { namespace: string; name: string }[] = [];
    proxy.beforeCreate = async (path, body) => {
      if (path.endsWith('/serviceaccounts') && planted.length === 0) {
        const namespace = path.split('/')[4] ?? '';
        const { name } = JSON.parse(body).metadata;
        planted.push({ namespace, name });
        await world.admin.createServiceAccount(namespace, name);
      }
    };
    const { lease } = await world.leases.issueLease({ config });
    proxy.beforeCreate = async () => undefined;
    const [stranger = { namespace: '', name: '' }] = planted;
    expect(lease?.serviceAccount).not.toBe(stranger.name);
    await world.leases.revokeLease({ id: lease?.id ?? '' });
    await eventually(async () => expect(await objects()).toEqual([]));
    expect(await world.admin.core.readNamespacedServiceAccount(stranger)).toBeDefined();
  });
});
