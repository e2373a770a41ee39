import { Status } from 'nice-grpc';
import { expect, inject } from 'vitest';
import { LeaseState } from '../../src/gen/leasehold/v1/lease.ts';
import { Keys } from '../../src/shared/redis/keys.ts';
import type { ReplicatedRedis } from '../servers/replicated-redis.ts';
import { Admin } from './admin.ts';
import { eventually } from './eventually.ts';
import { issueSteadily } from './issue-steadily.ts';
import { leaseholdEnvironment } from './leasehold.ts';
import { type ServerAndWorker, startServerAndWorker } from './server-and-worker.ts';
import { type DynamicSetup, seconds, setUpDynamic } from './set-ups.ts';

const LEASE_SECONDS = 15;

/** How long after its end, or the failover's, a lease may still be there: its turn among the others, and one retry. */
const LATE_MS = 30_000;

const WAITING = [LeaseState.LEASE_STATE_PENDING, LeaseState.LEASE_STATE_REVOKING];

/** Comes before the lease's id in the names of its objects. */
const OBJECT_PREFIX = /^leasehold-/;

/** Server and worker whose records a replica must have too. */
export interface ReplicatedLeasehold extends ServerAndWorker {
  admin: Admin;
  dynamic: DynamicSetup;
  installation: string;
}

export async function startOnReplicas(redis: ReplicatedRedis): Promise<ReplicatedLeasehold> {
  const { url, caPem, adminToken } = inject('controlPlane');
  const cluster = { url, caPem };
  const admin = new Admin(cluster, adminToken);
  const dynamic = await setUpDynamic({ cluster, admin }, 'dynamic');
  const environment = leaseholdEnvironment(redis.url, {
    LEASEHOLD_REDIS_REPLICAS: '1',
    // A take-down that the store did not confirm is left alone for twice as long as both.
    LEASEHOLD_CLUSTER_CALL_TIMEOUT: '10',
    LEASEHOLD_CLUSTER_CONNECT_TIMEOUT: '3',
  });
  const both = await startServerAndWorker(environment);
  await both.client.configs.createConfig({ config: dynamic.config });
  return { ...both, admin, dynamic, installation: environment['LEASEHOLD_INSTALLATION'] ?? '' };
}

/** Issues leases while their master is SIGKILLed and replaced, and holds that each one told to a caller is kept. */
export async function issueThroughFailover(redis: ReplicatedRedis, leasehold: ReplicatedLeasehold): Promise<void> {
  const { client, admin, installation } = leasehold;
  const issuing = issueSteadily(client, { config: 'dynamic', ttl: seconds(LEASE_SECONDS) });
  const waitForMore = async (count: number) => {
    const goal = issuing.issued.length + count;
    await eventually(async () => expect(issuing.issued.length).toBeGreaterThanOrEqual(goal));
  };
  await waitForMore(20);
  await redis.killMasterOf(new Keys(installation).due);
  await eventually(() => client.leases.listLeases({}));
  await redis.reviveKilled();
  const backAt = Date.now();
  await waitForMore(20);
  await issuing.stop();

  expect(issuing.rejections.length).toBeGreaterThan(0);
  for (const rejection of issuing.rejections) {
    expect(rejection).toMatchObject({ code: Status.UNAVAILABLE, reason: 'STORE_UNAVAILABLE', retry: true });
  }
  const read = () => Promise.all(issuing.issued.map((id) => client.leases.getLease({ id })));
  await eventually(
    async () => {
      for (const lease of await read()) {
        expect(lease).toMatchObject({ state: LeaseState.LEASE_STATE_EXPIRED });
        expect(Number(lease.endTime) - Math.max(Number(lease.expireTime), backAt)).toBeLessThan(LATE_MS);
      }
    },
    { everyMs: 500 },
  );
  const leftIds = (await admin.leaseholdObjects(installation)).map((name) => name.replace(OBJECT_PREFIX, ''));
  expect(issuing.issued.filter((id) => leftIds.includes(id))).toEqual([]);
  // What is left waits for its turn: no caller was told of it, and its issuer may be at it for minutes, or its undoing waits
  // for a call that may still take effect. It has a record.
  for (const id of leftIds) {
    await eventually(async () => {
      const { state, endTime } = await client.leases.getLease({ id });
      if (endTime === undefined) {
        expect(WAITING).toContain(state);
      } else {
        expect(await admin.leaseholdObjects(installation)).not.toContain(`leasehold-${id}`);
      }
    });
  }
}
