import { expect, test } from 'vitest';
import type { BatchOutcome } from '../../src/shared/domain/batch.ts';
import { type ClusterCall, ClusterNotCalled } from '../../src/shared/domain/cluster-error.ts';
import { Unavailable } from '../../src/shared/domain/errors.ts';
import { issueLease } from '../../src/shared/leases/issue.ts';
import { revoke } from '../../src/shared/leases/revoke.ts';
import { revokeMatching } from '../../src/shared/leases/revoke-matching.ts';
import type { Ports } from '../../src/shared/ports/ports.ts';
import { sampleConfig } from '../contract/samples.ts';
import { refused } from '../fakes/memory-cluster.ts';
import { memoryPorts } from '../fakes/memory-ports.ts';

// By force ends what a cluster refused to take down, and not what it was never asked for.

const CALL: ClusterCall = { verb: 'delete', apiGroup: '', resource: 'serviceaccounts' };

/** A lease whose deletes are answered so, one failure after the other and then as the cluster does. Time goes with each sleep. */
async function leaseWith(failures: Error[]) {
  let now = Date.now();
  const memory = memoryPorts(() => now);
  const isFailing = { forEver: undefined as Error | undefined };
  const ports: Ports = {
    ...memory,
    clock: {
      now: () => now,
      sleep: async (ms) => {
        now += ms;
      },
    },
    clusters: {
      at(access) {
        const cluster = memory.clusters.at(access);
        const answers: Pick<typeof cluster, 'remove'> = {
          remove(object) {
            const failure = failures.shift() ?? isFailing.forEver;
            return failure ? Promise.reject(failure) : cluster.remove(object);
          },
        };
        return Object.assign(memory.clusters.at(access), answers);
      },
    },
  };
  const config = sampleConfig('dynamic');
  await ports.configs.keepAccess(config.access);
  await ports.configs.create(config);
  const { lease } = await issueLease(ports, config, { config: 'dynamic', audiences: [], principal: 'caller' });
  return { ports, lease, isFailing, objects: () => memory.clusters.server('https://cluster.test').objectsOf(lease) };
}

async function forceAll(ports: Ports): Promise<BatchOutcome[]> {
  const outcomes: BatchOutcome[] = [];
  await revokeMatching(ports, {
    configs: undefined,
    force: true,
    matches: () => true,
    report: async (outcome) => void outcomes.push(outcome),
  });
  return outcomes;
}

const PASSING: [string, () => Error][] = [
  ['its turn did not come', () => new ClusterNotCalled(CALL, 'too many wait', { isPassing: true })],
  ['the cluster is busy', () => refused(CALL, 429, 'TooManyRequests', '')],
];

test.each(PASSING)('a lease is tried again, and taken down, where %s', async (_, failure) => {
  const { ports, objects } = await leaseWith([failure(), failure()]);
  expect(await forceAll(ports)).toMatchObject([{ state: 'REVOKED', error: '' }]);
  expect(objects()).toEqual([]);
});

test.each(PASSING)('it goes on to be retried where for a minute %s', async (_, failure) => {
  const { ports, isFailing, lease } = await leaseWith([]);
  isFailing.forEver = failure();
  expect(await forceAll(ports)).toMatchObject([{ state: 'REVOKING' }]);
  expect(await ports.leases.get(lease.id)).toMatchObject({ state: 'REVOKING', tries: expect.any(Number) });
});

test.each<[string, () => Error]>([
  ['the token may not', () => refused(CALL, 403, 'Forbidden', '')],
  ['the cluster is away', () => new ClusterNotCalled(CALL, 'connection refused')],
])('it ends by force where %s', async (_, failure) => {
  const { ports, isFailing } = await leaseWith([]);
  isFailing.forEver = failure();
  expect(await forceAll(ports)).toMatchObject([{ state: 'REVOKED', forced: true }]);
});

test('a single lease is not given up either while the store is away', async () => {
  const { ports, lease } = await leaseWith([]);
  ports.configs.getAccess = () => Promise.reject(new Unavailable('STORE_UNAVAILABLE', 'away'));
  await expect(revoke(ports, lease, 'REVOKED', { force: true })).rejects.toBeInstanceOf(Unavailable);
  expect(await ports.leases.get(lease.id)).toMatchObject({ state: 'REVOKING' });
});
