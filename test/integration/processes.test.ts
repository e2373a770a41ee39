import { Status } from 'nice-grpc';
import { beforeAll, expect, inject, test } from 'vitest';
import { LeaseState } from '../../src/gen/leasehold/v1/lease.ts';
import { startRedisServer } from '../servers/redis-server.ts';
import { Admin } from '../support/admin.ts';
import { eventually } from '../support/eventually.ts';
import { issueBriefly } from '../support/in-time.ts';
import { leaseholdEnvironment } from '../support/leasehold.ts';
import { spawnLeasehold } from '../support/leasehold-process.ts';
import { rejectionOf } from '../support/rejection.ts';
import { type ServerAndWorker, startServerAndWorker } from '../support/server-and-worker.ts';
import { type DynamicSetup, directAccess, setUpDynamic } from '../support/set-ups.ts';
import { startSilentServer } from '../support/silent-server.ts';

// Server and worker are processes that share only Redis.

/** The deadline of a command of Redis is 2 s; without it, a call would wait for its own, 120 s. */
const FAST_MS = 15_000;

let cluster: { url: string; caPem: string };
let dynamic: DynamicSetup;
beforeAll(async () => {
  const { url, caPem, adminToken } = inject('controlPlane');
  cluster = { url, caPem };
  dynamic = await setUpDynamic({ cluster, admin: new Admin(cluster, adminToken) }, 'dynamic');
});

function startBoth(overrides: Record<string, string> = {}): Promise<ServerAndWorker> {
  return startServerAndWorker(leaseholdEnvironment(inject('redisUrl'), overrides));
}

test('a lease that the server issued is taken down by the worker, and both end at SIGTERM', async () => {
  const { server, worker, client, stop } = await startBoth();
  await client.configs.createConfig({ config: dynamic.config });
  const { lease } = await issueBriefly(client, 'dynamic');
  await eventually(async () =>
    expect(await client.leases.getLease({ id: lease?.id ?? '' })).toMatchObject({
      state: LeaseState.LEASE_STATE_EXPIRED,
    }),
  );
  expect(worker.logs.map(({ msg }) => msg)).toContain('lease ended');
  expect(server.logs.map(({ msg }) => msg)).not.toContain('lease ended');
  expect(await stop()).toEqual([0, 0]);
});

test('SIGTERM lets a call that is under way end with its own answer', async () => {
  const silent = await startSilentServer();
  const { url } = silent;
  const { server, worker, client } = await startBoth({ LEASEHOLD_CLUSTER_CONNECT_TIMEOUT: '3' });
  const call = rejectionOf(
    client.configs.createConfig({ config: { ...dynamic.config, access: directAccess({ ...cluster, url }, 'token') } }),
  );
  await eventually(async () => expect(silent.connections).toBeGreaterThan(0));
  server.kill('SIGTERM');
  await server.logged('stopping');

  expect(await call).toMatchObject({ code: Status.UNAVAILABLE, reason: 'CLUSTER_UNREACHABLE' });
  expect(await server.exited).toBe(0);
  client.close();
  await worker.stop();
  silent.stop();
});

test.each([
  ['is missing', { LEASEHOLD_SEAL_KEY: '' }, 'LEASEHOLD_SEAL_KEY'],
  ['is too short', { LEASEHOLD_SEAL_KEY: 'c2hvcnQ=' }, 'LEASEHOLD_SEAL_KEY'],
  ['names no Redis', { LEASEHOLD_REDIS_URL: 'http://127.0.0.1' }, 'LEASEHOLD_REDIS_URL'],
  ['names a Redis that is away', { LEASEHOLD_REDIS_URL: 'redis://127.0.0.1:1' }, 'ECONNREFUSED'],
])('a setting that %s ends the start, with a reason', async (_, overrides, reason) => {
  const server = spawnLeasehold('server', leaseholdEnvironment(inject('redisUrl'), overrides));

  expect(await server.exited).toBe(1);
  expect(JSON.stringify(server.logs)).toContain(reason);
});

test('while Redis is away, calls fail fast with UNAVAILABLE, and SIGTERM still ends both', async () => {
  const redis = await startRedisServer();
  const { client, stop } = await startBoth({
    LEASEHOLD_REDIS_URL: redis.url,
    LEASEHOLD_REDIS_TIMEOUT: '2',
    LEASEHOLD_DRAIN_TIMEOUT: '2',
  });
  await client.configs.createConfig({ config: dynamic.config });
  await redis.stop();
  const started = Date.now();
  const rejections = await Promise.all([
    rejectionOf(client.leases.issueLease({ config: 'dynamic' })),
    rejectionOf(client.configs.listConfigs({})),
  ]);

  expect(Date.now() - started).toBeLessThan(FAST_MS);
  for (const rejection of rejections) {
    expect(rejection).toMatchObject({ code: Status.UNAVAILABLE, reason: 'STORE_UNAVAILABLE', retry: true });
  }
  expect(await stop()).toEqual([0, 0]);
});

test('a collector that is away holds nothing up, neither a lease nor the end', async () => {
  const { client, stop } = await startBoth({
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1',
    OTEL_EXPORTER_OTLP_TIMEOUT: '500',
  });
  await client.configs.createConfig({ config: dynamic.config });
  const { lease } = await client.leases.issueLease({ config: 'dynamic' });
  await client.leases.revokeLease({ id: lease?.id ?? '' });

  expect(await stop()).toEqual([0, 0]);
});
