import { describe, expect, test } from 'vitest';
import {
  ClusterAddressNotAllowed,
  type ClusterCall,
  type ClusterError,
  ClusterNotCalled,
  ClusterNotTrusted,
  ClusterRefused,
  ClusterUnreachable,
  GatewayLost,
  GatewayNotConnected,
  GatewayRefused,
} from '../../src/shared/domain/cluster-error.ts';
import type { Config } from '../../src/shared/domain/config.ts';
import { Unavailable } from '../../src/shared/domain/errors.ts';
import type { Lease, LeaseObject } from '../../src/shared/domain/lease.ts';
import { issueLease } from '../../src/shared/leases/issue.ts';
import type { Cluster, ObjectName } from '../../src/shared/ports/cluster.ts';
import type { Ports } from '../../src/shared/ports/ports.ts';
import { sampleConfig } from '../contract/samples.ts';
import { refused } from '../fakes/memory-cluster.ts';
import { memoryPorts } from '../fakes/memory-ports.ts';

// What an issue that fails leaves behind: what was made, or may still appear, and nothing else.

const CALL: ClusterCall = { verb: 'create', apiGroup: '', resource: 'serviceaccounts' };

const dynamic = sampleConfig('dynamic');
const clusterWide = sampleConfig('cluster-wide', {
  credential: { ...dynamic.credential, bindingScope: 'cluster' } as Config['credential'],
});
const revocable = sampleConfig('revocable', {
  credential: { kind: 'static', namespace: 'one', serviceAccount: 'reader', revocable: true },
});
const staticConfig = sampleConfig('static', {
  credential: { kind: 'static', namespace: 'one', serviceAccount: 'reader', revocable: false },
});

/** Issues on a cluster with these methods of its own; tells what became of the lease, and what was asked to be deleted. */
async function issueOn(config: Config, changes: (cluster: Cluster) => Partial<Cluster>, around: Partial<Ports> = {}) {
  const memory = memoryPorts();
  const deletes: ObjectName[] = [];
  const ports: Ports = {
    ...memory,
    clusters: {
      at(access) {
        const cluster = memory.clusters.at(access);
        const remove = (object: ObjectName) => {
          deletes.push(object);
          return cluster.remove(object);
        };
        return Object.assign(memory.clusters.at(access), { remove }, changes(cluster));
      },
    },
    ...around,
  };
  const { access } = config;
  memory.clusters.server('https://cluster.test').add({ kind: 'ServiceAccount', namespace: 'one', name: 'reader' });
  await ports.configs.keepAccess(access);
  await ports.configs.create(config);
  const issue = (signal?: AbortSignal) =>
    issueLease(ports, config, { config: config.name, audiences: [], principal: 'caller', requestId: 'same' }, signal);
  const leases = () =>
    memory.leases.list({ config: undefined, principal: undefined, states: [], before: undefined, limit: 9 });
  return { memory, ports, deletes, issue, leases };
}

const LATE = 'context deadline exceeded';

/** A refusal in these words, with a reason unless it is left out. */
function said(status: number, message: string, reason = 'InternalError'): ClusterRefused {
  return new ClusterRefused(CALL, { status, message, reason, objectName: '', retryAfterMs: undefined });
}

const NEVER_MADE: [string, () => ClusterError][] = [
  ['the token is dead', () => refused(CALL, 401, 'Unauthorized', '')],
  ['the token may not', () => refused(CALL, 403, 'Forbidden', '')],
  ['the namespace is gone', () => refused(CALL, 404, 'NotFound', 'one')],
  ['a conflict that is not of our name', () => refused(CALL, 409, 'Conflict', 'quota')],
  ['it is invalid', () => refused(CALL, 422, 'Invalid', '')],
  ['the cluster is busy', () => refused(CALL, 429, 'TooManyRequests', '', 1000)],
  ['a webhook could not be called', () => said(500, `Internal error occurred: failed calling webhook "w": ${LATE}`)],
  ['a webhook denies with a status of its own', () => said(503, 'admission webhook "w" denied the request: no')],
  ['the quota could not be computed', () => said(500, 'Internal error occurred: resource quota evaluation timed out')],
  ['no connection could be made', () => new ClusterNotCalled(CALL, 'connection refused')],
  ['no agent is connected', () => new GatewayNotConnected(CALL, 'edge')],
  ['the gateway does not dial there', () => new GatewayRefused(CALL, 'edge', 'not a target')],
  ['its certificate is not trusted', () => new ClusterNotTrusted(CALL, 'not trusted')],
  ['its address is not allowed', () => new ClusterAddressNotAllowed(CALL, 'link-local')],
];

const MAY_STILL_APPEAR: [string, () => ClusterError][] = [
  ['it broke', () => refused(CALL, 500, 'InternalError', '')],
  ['it gave up', () => refused(CALL, 504, 'Timeout', '')],
  ['a proxy gave up on it', () => said(408, '<html>Request Timeout</html>', '')],
  ['its answer was blocked', () => said(406, '<html>blocked</html>', '')],
  ['no answer came', () => new ClusterUnreachable(CALL, 'no answer')],
  ['the agent was lost', () => new GatewayLost(CALL, 'lost')],
];

const failing = (kind: LeaseObject['kind'] | undefined, failure: () => Error) => (cluster: Cluster) => ({
  create: (...[object, account, marks]: Parameters<Cluster['create']>) =>
    kind === undefined || object.kind === kind ? Promise.reject(failure()) : cluster.create(object, account, marks),
});

function expectFailed([lease, ...others]: Lease[]): void {
  expect(others).toEqual([]);
  expect(lease).toMatchObject({ state: 'FAILED', objects: [] });
  expect(lease?.endTime).toBeDefined();
}

describe.each([dynamic, clusterWide, revocable])('the first creation is refused or not sent: $name', (config) => {
  test.each(NEVER_MADE)('%s', async (_, failure) => {
    const { issue, leases, deletes } = await issueOn(config, failing(undefined, failure));
    await expect(issue()).rejects.toMatchObject({ message: failure().message });
    expectFailed(await leases());
    expect(deletes).toEqual([]);
  });
});

test('its request_id is free again at once', async () => {
  let isAllowed = false;
  const denied = () => refused(CALL, 403, 'Forbidden', '');
  const { issue, leases } = await issueOn(dynamic, (cluster) => (isAllowed ? {} : failing(undefined, denied)(cluster)));
  await expect(issue()).rejects.toMatchObject({ refusal: { status: 403 } });
  isAllowed = true;
  expect((await issue()).lease.state).toBe('ACTIVE');
  expect((await leases()).map(({ state }) => state)).toEqual(['ACTIVE', 'FAILED']);
});

describe.each([dynamic, revocable])('whether the first creation took effect is unknown: $name', (config) => {
  test.each(MAY_STILL_APPEAR)('%s', async (_, failure) => {
    const { issue, leases, deletes } = await issueOn(config, failing(undefined, failure));
    await expect(issue()).rejects.toMatchObject({ message: failure().message });
    const [first] = config === dynamic ? ['ServiceAccount'] : ['Secret'];
    expect(await leases()).toMatchObject([{ state: 'REVOKING', endAs: 'FAILED', objects: [{ kind: first }] }]);
    expect(deletes).toMatchObject([{ kind: first }]);
  });
});

test.each([
  ['dynamic', dynamic, 'RoleBinding'],
  ['cluster-wide', clusterWide, 'ClusterRoleBinding'],
] as const)('only the account is taken down where its binding is refused: %s', async (_, config, kind) => {
  const { issue, leases, deletes, memory } = await issueOn(
    config,
    failing(kind, () => refused(CALL, 403, 'Forbidden', '')),
  );
  await expect(issue()).rejects.toMatchObject({ refusal: { status: 403 } });
  expect(deletes).toMatchObject([{ kind: 'ServiceAccount', uid: expect.stringMatching(/^uid-/) }]);
  expect(await leases()).toMatchObject([{ state: 'FAILED', objects: [{ kind: 'ServiceAccount' }] }]);
  expect(memory.clusters.server('https://cluster.test').objects).toMatchObject([{ name: 'reader' }]);
});

test('what was made stays live where the undo cannot reach the cluster, and nothing else', async () => {
  const { issue, leases } = await issueOn(dynamic, (cluster) => ({
    ...failing('RoleBinding', () => new ClusterNotCalled(CALL, 'connection refused'))(cluster),
    remove: () => Promise.reject(new ClusterNotCalled(CALL, 'connection refused')),
  }));
  await expect(issue()).rejects.toMatchObject({ name: 'ClusterNotCalled' });
  expect(await leases()).toMatchObject([
    { state: 'REVOKING', objects: [{ kind: 'ServiceAccount', uid: expect.stringMatching(/^uid-/) }] },
  ]);
});

test.each([dynamic, revocable])('all that was made goes where no token is minted: $name', async (config) => {
  const { issue, leases, deletes, memory } = await issueOn(config, () => ({
    mintToken: () => Promise.reject(refused(CALL, 403, 'Forbidden', '')),
  }));
  await expect(issue()).rejects.toMatchObject({ refusal: { status: 403 } });
  expect(deletes).toHaveLength(config === dynamic ? 2 : 1);
  expect(await leases()).toMatchObject([{ state: 'FAILED' }]);
  expect(memory.clusters.server('https://cluster.test').objects).toMatchObject([{ name: 'reader' }]);
});

test('a lease without objects whose token is refused has failed at once', async () => {
  const { issue, leases } = await issueOn(staticConfig, () => ({
    mintToken: () => Promise.reject(refused(CALL, 401, 'Unauthorized', '')),
  }));
  await expect(issue()).rejects.toMatchObject({ refusal: { status: 401 } });
  expectFailed(await leases());
});

test('a caller who leaves before anything was made', async () => {
  const leaving = new AbortController();
  const { issue, leases, deletes, memory } = await issueOn(dynamic, () => ({}));
  const { record } = memory.leases;
  memory.leases.record = async (...args) => {
    const earlier = await record.apply(memory.leases, args);
    leaving.abort();
    return earlier;
  };
  await expect(issue(leaving.signal)).rejects.toMatchObject({ name: 'AbortError' });
  expectFailed(await leases());
  expect(deletes).toEqual([]);
});

test('an alarm that could not be set, while the token is dead', async () => {
  const failure = new Unavailable('STORE_UNAVAILABLE', 'the store cannot be reached');
  const alarm = { set: () => Promise.reject(failure), move: async () => {}, wakeForBatch: async () => {} };
  const { issue, leases, deletes } = await issueOn({ ...dynamic, defaultTtlSeconds: 1 }, () => ({}), { alarm });
  await expect(issue()).rejects.toBe(failure);
  expectFailed(await leases());
  expect(deletes).toEqual([]);
});

test('a deadline of the issue that is over before anything was made', async () => {
  let now = Date.now();
  const { issue, leases, deletes, memory } = await issueOn(dynamic, () => ({}), {
    clock: { now: () => now, sleep: async () => {} },
  });
  const { record } = memory.leases;
  memory.leases.record = async (...args) => {
    const earlier = await record.apply(memory.leases, args);
    now += 10 * 60_000;
    return earlier;
  };
  await expect(issue()).rejects.toMatchObject({ reason: 'LEASE_ENDED_MEANWHILE' });
  expectFailed(await leases());
  expect(deletes).toEqual([]);
});
