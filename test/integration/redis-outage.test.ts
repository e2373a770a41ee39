import { Status } from 'nice-grpc';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { LeaseState } from '../../src/gen/leasehold/v1/lease.ts';
import { DURABLE_REDIS_ARGS } from '../servers/redis-args.ts';
import { ensureRedisBinary } from '../servers/redis-binary.ts';
import { type RedisProcess, type RedisSpec, startRedisProcess, startRedisProcessAt } from '../servers/redis-process.ts';
import { makeTempFolder, type TempFolder } from '../servers/temp-folder.ts';
import { Admin } from '../support/admin.ts';
import { eventually } from '../support/eventually.ts';
import { issueBriefly } from '../support/in-time.ts';
import { leaseholdEnvironment } from '../support/leasehold.ts';
import { rejectionOf } from '../support/rejection.ts';
import { type ServerAndWorker, startServerAndWorker } from '../support/server-and-worker.ts';
import { setUpDynamic } from '../support/set-ups.ts';

// One Redis that goes away and comes back, under a server and a worker that stay.

/** The deadline of a command is 2 s; without it, a call would wait until Redis is back. */
const FAST_MS = 15_000;

let folder: TempFolder;
let spec: RedisSpec;
let redis: RedisProcess;
let leasehold: ServerAndWorker;
beforeAll(async () => {
  const { url, caPem, adminToken } = inject('controlPlane');
  const cluster = { url, caPem };
  folder = await makeTempFolder('outage');
  spec = {
    binary: await ensureRedisBinary(),
    folder: folder.path,
    args: (port, dir) => ['--bind', '127.0.0.1', '--port', `${port}`, '--dir', dir, ...DURABLE_REDIS_ARGS],
  };
  redis = await startRedisProcess(spec);
  leasehold = await startServerAndWorker(
    leaseholdEnvironment(`redis://127.0.0.1:${redis.port}`, { LEASEHOLD_REDIS_TIMEOUT: '2' }),
  );
  const { config } = await setUpDynamic({ cluster, admin: new Admin(cluster, adminToken) }, 'dynamic');
  await leasehold.client.configs.createConfig({ config });
});
afterAll(async () => {
  await leasehold?.stop();
  await redis?.stop();
  await folder?.remove();
});

test.each([
  [
    'is stopped and goes on',
    () => process.kill(redis.pid, 'SIGSTOP'),
    async () => {
      process.kill(redis.pid, 'SIGCONT');
    },
  ],
  [
    'is killed and starts again',
    () => process.kill(redis.pid, 'SIGKILL'),
    async () => {
      redis = await startRedisProcessAt(redis.port, spec);
    },
  ],
])(
  'a Redis that %s: calls fail fast meanwhile, and a lease that fell due is taken down after',
  async (_, goAway, comeBack) => {
    const { client } = leasehold;
    const { lease } = await issueBriefly(client, 'dynamic');
    goAway();
    const started = Date.now();
    const rejections = await Promise.all([
      rejectionOf(client.leases.issueLease({ config: 'dynamic' })),
      rejectionOf(client.leases.getLease({ id: lease?.id ?? '' })),
      rejectionOf(client.configs.listConfigs({})),
    ]);
    const took = Date.now() - started;
    await comeBack();

    expect(took).toBeLessThan(FAST_MS);
    for (const rejection of rejections) {
      expect(rejection).toMatchObject({ code: Status.UNAVAILABLE, reason: 'STORE_UNAVAILABLE', retry: true });
    }
    await eventually(async () =>
      expect(await client.leases.getLease({ id: lease?.id ?? '' })).toMatchObject({
        state: LeaseState.LEASE_STATE_EXPIRED,
      }),
    );
  },
);
