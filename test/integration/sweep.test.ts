import { randomUUID } from 'node:crypto';
import pLimit from 'p-limit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LeaseState } from '../../src/gen/leasehold/v1/lease.ts';
import { findLease } from '../../src/shared/leases/find-lease.ts';
import { EXPIRY_QUEUE, SWEEP_QUEUE } from '../../src/shared/queue/queues.ts';
import { RedisUrl } from '../../src/shared/redis/redis-url.ts';
import { createRuntime } from '../../src/shared/runtime.ts';
import { createLogger } from '../../src/shared/telemetry/logger.ts';
import { bringNear } from '../support/bring-near.ts';
import { eventually } from '../support/eventually.ts';
import { issueBriefly } from '../support/in-time.ts';
import { loseJobs } from '../support/lose-jobs.ts';
import { type DynamicSetup, seconds, setUpDynamic } from '../support/set-ups.ts';
import { openWorld, type World } from '../support/world.ts';

// What the alarm clock misses, the sweep finds: in the store, and in the clusters.

let world: World;
let dynamic: DynamicSetup;
beforeAll(async () => {
  world = await openWorld({
    LEASEHOLD_SWEEP_INTERVAL: '1',
    LEASEHOLD_READ_BACK_INTERVAL: '1',
  });
  dynamic = await setUpDynamic(world, 'dynamic', { mayList: true });
  await world.configs.createConfig({ config: dynamic.config });
});
afterAll(() => world.stop());

const installation = () => world.settings.LEASEHOLD_INSTALLATION;
const ownObjects = () => world.admin.leaseholdObjects(installation());

const removeAllJobs = (queueName: string) => loseJobs(world.redisUrl, installation(), queueName);

async function issue(ttl: number): Promise<string> {
  const { lease } = await world.leases.issueLease({ config: 'dynamic', ttl: seconds(ttl) });
  return lease?.id ?? '';
}

/** They fall due, and no alarm is set for that. */
async function bringEndsNear(ids: readonly string[]): Promise<void> {
  const settings = { ...world.settings, LEASEHOLD_REDIS_URL: RedisUrl.parse(world.redisUrl) };
  const runtime = await createRuntime(settings, createLogger('test', 'silent'));
  for (const id of ids) {
    await bringNear(runtime.ports, await findLease(runtime.ports, id), Date.now());
  }
  await runtime.close();
}

async function liveLeases(): Promise<string[]> {
  const states = [LeaseState.LEASE_STATE_ACTIVE, LeaseState.LEASE_STATE_REVOKING];
  const { leases } = await world.leases.listLeases({ states, pageSize: 1000 });
  return leases.map(({ id }) => id);
}

test('500 leases whose jobs are all deleted are taken down', async () => {
  const limit = pLimit(16);
  const ids = await Promise.all(Array.from({ length: 500 }, () => limit(() => issue(600))));
  await removeAllJobs(EXPIRY_QUEUE);
  await removeAllJobs(SWEEP_QUEUE);
  await bringEndsNear(ids);

  await eventually(async () => expect(await liveLeases()).toEqual([]), { everyMs: 500 });
  expect(await world.leases.getLease({ id: ids[0] ?? '' })).toMatchObject({ state: LeaseState.LEASE_STATE_EXPIRED });
  expect(await ownObjects()).toEqual([]);
});

interface Marks {
  lease: string;
  installation?: string;
  expiresAt: number;
}

/** An account that is named like one of a lease; returns its name. */
async function makeAccount(marks?: Marks): Promise<string> {
  const name = `leasehold-${randomUUID()}`;
  await world.admin.core.createNamespacedServiceAccount({
    namespace: dynamic.namespaces[0],
    body: {
      metadata: {
        name,
        ...(marks && {
          labels: {
            'app.kubernetes.io/managed-by': 'leasehold',
            'leasehold.dev/installation': marks.installation ?? installation(),
            'leasehold.dev/lease': marks.lease,
          },
          annotations: { 'leasehold.dev/expires-at': new Date(marks.expiresAt).toISOString() },
        }),
      },
    },
  });
  return name;
}

async function accounts(): Promise<string[]> {
  const { items } = await world.admin.core.listNamespacedServiceAccount({ namespace: dynamic.namespaces[0] });
  return items.map(({ metadata }) => metadata?.name ?? '');
}

test('what no lease owns any more is removed; what may still be needed, and what is not ours, is left', async () => {
  const unknown = '019ab000-0000-7000-8000-000000000000';
  const anHourAgo = Date.now() - 3600_000;
  const inAnHour = Date.now() + 3600_000;
  const ended = await issue(60);
  const live = await issue(600);
  await world.leases.revokeLease({ id: ended });
  const needless = [
    await makeAccount({ lease: unknown, expiresAt: anHourAgo }),
    await makeAccount({ lease: ended, expiresAt: inAnHour }),
  ];
  const left = [
    await makeAccount({ lease: unknown, expiresAt: inAnHour }),
    await makeAccount({ lease: live, expiresAt: anHourAgo }),
    await makeAccount({ lease: unknown, installation: 'another', expiresAt: anHourAgo }),
    await makeAccount(),
    `leasehold-${live}`,
  ];

  await eventually(async () => {
    const names = await accounts();
    expect(needless.filter((name) => names.includes(name))).toEqual([]);
  });
  expect(await accounts()).toEqual(expect.arrayContaining(left));
  await world.leases.revokeLease({ id: live });
});

test('without the permission to list it says so once, and does the rest', async () => {
  const blind = await setUpDynamic(world, 'blind');
  await world.configs.createConfig({ config: blind.config });
  const told = () =>
    world.logs.filter((line) => line.includes('may not list here') && line.includes(blind.namespaces[0]));
  await eventually(async () => expect(told().length).toBeGreaterThan(0));
  const { lease } = await issueBriefly(world, 'blind', 3);
  await removeAllJobs(EXPIRY_QUEUE);

  await eventually(async () =>
    expect(await world.leases.getLease({ id: lease?.id ?? '' })).toMatchObject({
      state: LeaseState.LEASE_STATE_EXPIRED,
    }),
  );
  expect(told().filter((line) => line.includes('ServiceAccount'))).toHaveLength(1);
});
