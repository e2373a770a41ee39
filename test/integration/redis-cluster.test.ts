import { afterAll, beforeAll, test } from 'vitest';
import { startRedisCluster } from '../servers/redis-cluster.ts';
import type { ReplicatedRedis } from '../servers/replicated-redis.ts';
import { issueThroughFailover, type ReplicatedLeasehold, startOnReplicas } from '../support/failover.ts';

// A Cluster of three masters with a replica each.

let redis: ReplicatedRedis;
let leasehold: ReplicatedLeasehold;
beforeAll(async () => {
  redis = await startRedisCluster();
  leasehold = await startOnReplicas(redis);
});
afterAll(async () => {
  await leasehold?.stop();
  await redis?.stop();
});

test('when the master of our slot is killed, each lease that a caller was told of is kept, and taken down at its end', async () => {
  await issueThroughFailover(redis, leasehold);
});
