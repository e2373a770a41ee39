import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Lease, LeaseState } from '../../src/gen/leasehold/v1/lease.ts';
import { eventually } from '../support/eventually.ts';
import { inTime, TooSlow } from '../support/in-time.ts';
import { directAccess, seconds, setUpDynamic } from '../support/set-ups.ts';
import { type SlowProxy, startSlowProxy } from '../support/slow-proxy.ts';
import { openWorld, type World } from '../support/world.ts';

// A cluster that swallows every call does not hold up the leases of another, though it has more of them than the worker
// takes down at a time.

const WORKER_CONCURRENCY = 16;

/** The longest that may be set: within it no call to the cluster that is silent comes to an end. */
const SILENT_FOR_S = 60;

/** Long before any of those calls is given up. */
const IN_TIME_MS = (SILENT_FOR_S * 1000) / 2;

let world: World;
let proxy: SlowProxy;
beforeAll(async () => {
  world = await openWorld({
    LEASEHOLD_WORKER_CONCURRENCY: `${WORKER_CONCURRENCY}`,
    LEASEHOLD_CLUSTER_CALL_TIMEOUT: `${SILENT_FOR_S}`,
    LEASEHOLD_CLUSTER_CONNECT_TIMEOUT: `${SILENT_FOR_S}`,
  });
  proxy = await startSlowProxy(world.cluster.url);
  const { config, requester } = await setUpDynamic(world, 'healthy');
  await world.configs.createConfig({ config });
  const access = directAccess({ ...world.cluster, url: proxy.url }, requester.token);
  await world.configs.createConfig({ config: { ...config, name: 'black-hole', access } });
});
afterAll(async () => {
  proxy.stop();
  await world.stop();
});

/** Leases on each of the two clusters that end at about the same time, one of which falls silent before that. */
async function issueBeforeSilence(ttlSeconds: number) {
  const issue = async (config: string, count: number) => {
    const ttl = seconds(ttlSeconds);
    const issued = await Promise.all(Array.from({ length: count }, () => world.leases.issueLease({ config, ttl })));
    return issued.map(({ lease }) => ({ id: lease?.id ?? '', expireTime: Number(lease?.expireTime) }));
  };
  const swallowed = await issue('black-hole', 3 * WORKER_CONCURRENCY);
  const fine = await issue('healthy', WORKER_CONCURRENCY);
  const letPass = proxy.hold();
  if (Date.now() >= Math.min(...swallowed.map(({ expireTime }) => expireTime))) {
    letPass();
    throw new TooSlow('leases ended before their cluster fell silent');
  }
  return { swallowed, fine, letPass };
}

test('leases of the healthy cluster end in time, while calls to the other wait; its own end when it answers again', async () => {
  const { swallowed, fine, letPass } = await inTime(6, issueBeforeSilence);

  for (const { id, expireTime } of fine) {
    const { endTime } = await ended(id);
    expect(Number(endTime) - expireTime).toBeLessThan(IN_TIME_MS);
  }
  for (const { id } of swallowed) {
    const { state, endTime } = await world.leases.getLease({ id });
    expect(LIVE).toContain(state);
    expect(endTime).toBeUndefined();
  }
  letPass();
  await Promise.all(swallowed.map(({ id }) => ended(id)));
});

const LIVE = [LeaseState.LEASE_STATE_ACTIVE, LeaseState.LEASE_STATE_REVOKING];

function ended(id: string): Promise<Lease> {
  return eventually(async () => {
    const lease = await world.leases.getLease({ id });
    expect(lease.state).toBe(LeaseState.LEASE_STATE_EXPIRED);
    return lease;
  });
}
