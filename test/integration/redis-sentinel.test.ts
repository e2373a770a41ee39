import { Status } from 'nice-grpc';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startRedisSentinel } from '../servers/redis-sentinel.ts';
import type { ReplicatedRedis } from '../servers/replicated-redis.ts';
import { eventually } from '../support/eventually.ts';
import { issueThroughFailover, type ReplicatedLeasehold, startOnReplicas } from '../support/failover.ts';
import { issueBriefly } from '../support/in-time.ts';
import { rejectionOf } from '../support/rejection.ts';
import { seconds } from '../support/set-ups.ts';

// A master, its replica, and three Sentinels. The replica must have each record too.

let redis: ReplicatedRedis;
let leasehold: ReplicatedLeasehold;
beforeAll(async () => {
  redis = await startRedisSentinel();
  leasehold = await startOnReplicas(redis);
});
afterAll(async () => {
  await leasehold?.stop();
  await redis?.stop();
});

test('while the replica is silent no caller is told of a lease, but what is due is taken down', async () => {
  const { client, admin, installation } = leasehold;
  await issueBriefly(client, 'dynamic');
  {
    await using _pause = await redis.pauseReplicas();
    expect(await rejectionOf(client.leases.issueLease({ config: 'dynamic', ttl: seconds(2) }))).toMatchObject({
      code: Status.UNAVAILABLE,
      reason: 'STORE_UNAVAILABLE',
      message: expect.stringContaining('0 of 1 replicas have it'),
      retry: true,
    });
    await eventually(async () => expect(await admin.leaseholdObjects(installation)).toEqual([]));
  }
  const { lease } = await eventually(() => client.leases.issueLease({ config: 'dynamic' }));
  // The next test knows all leases that it finds.
  await eventually(() => client.leases.revokeLease({ id: lease?.id ?? '' }));
});

test('when the master is killed, each lease that a caller was told of is kept, and taken down at its end', async () => {
  await issueThroughFailover(redis, leasehold);
});
