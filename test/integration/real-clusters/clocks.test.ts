import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { LeaseState } from '../../../src/gen/leasehold/v1/lease.ts';
import type { NativeRedis } from '../../servers/native-redis.ts';
import { startRestartableRedis } from '../../servers/redis-server.ts';
import { Admin } from '../../support/admin.ts';
import { eventually } from '../../support/eventually.ts';
import { connectTo, leaseholdEnvironment } from '../../support/leasehold.ts';
import { spawnLeasehold } from '../../support/leasehold-process.ts';
import { seconds, setUpDynamic } from '../../support/set-ups.ts';

// The clocks of server and worker are off, for all of their lives or from some moment on: leases end as if they were right.

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const TTL_S = 5;

/** A worker whose own clock counted would be late by minutes; one that is slow by seconds. */
const LATE_MS = 10_000;

/** What an idle worker asks of Redis in a second, with much to spare; one that spins asks some thousand times. */
const IDLE_COMMANDS_PER_S = 300;

const ENTRIES = {
  server: new URL('../../faults/server-main.ts', import.meta.url),
  worker: new URL('../../faults/worker-main.ts', import.meta.url),
};

let redis: NativeRedis;
beforeAll(async () => {
  redis = await startRestartableRedis();
});
afterAll(() => redis?.stop());

interface Offsets {
  server: number;
  worker: number;
  /** Whether the clocks jump while a lease lives, and are right before. */
  later?: boolean;
}

async function open({ server: serverMs, worker: workerMs, later = false }: Offsets) {
  const { url, caPem, adminToken } = inject('controlPlane');
  const environment = leaseholdEnvironment(redis.url, { LEASEHOLD_SWEEP_INTERVAL: '3600' });
  const spawn = (role: 'server' | 'worker', ms: number) =>
    spawnLeasehold(
      role,
      { ...environment, CLOCK_JUMP_MS: `${ms}`, ...(later ? {} : { CLOCK_JUMPED: 'at start' }) },
      { entry: ENTRIES[role] },
    );
  const server = spawn('server', serverMs);
  const worker = spawn('worker', workerMs);
  const { address = '' } = await server.logged('serving');
  await worker.logged('working');
  const client = connectTo(address);
  const admin = new Admin({ url, caPem }, adminToken);
  const { config } = await setUpDynamic({ cluster: { url, caPem }, admin }, 'dynamic');
  await client.configs.createConfig({ config });
  return {
    client,
    server,
    worker,
    jump() {
      server.kill('SIGUSR2');
      worker.kill('SIGUSR2');
    },
    async [Symbol.asyncDispose]() {
      client.close();
      await Promise.all([server.stop(), worker.stop()]);
    },
  };
}

async function commandsPerSecond(): Promise<number> {
  const client = new Redis(redis.url);
  const count = async () => Number(/total_commands_processed:(\d+)/.exec(await client.info('stats'))?.[1]);
  const [before, since] = [await count(), performance.now()];
  await eventually(async () => expect(performance.now() - since).toBeGreaterThan(3_000));
  const after = await count();
  client.disconnect();
  return ((after - before) / (performance.now() - since)) * 1000;
}

test.each<[what: string, offsets: Offsets]>([
  ['the worker is half an hour behind', { server: 0, worker: -30 * MINUTE_MS }],
  ['the worker is half an hour ahead', { server: 0, worker: 30 * MINUTE_MS }],
  ['the server is an hour ahead', { server: HOUR_MS, worker: 0 }],
  ['the server is an hour behind', { server: -HOUR_MS, worker: 0 }],
  ['server and worker are an hour off, in opposite directions', { server: -HOUR_MS, worker: HOUR_MS }],
  ['both jump an hour back while a lease lives', { server: -HOUR_MS, worker: -HOUR_MS, later: true }],
  ['both jump an hour forward while a lease lives', { server: HOUR_MS, worker: HOUR_MS, later: true }],
])('%s: a lease ends at its end, and the process that is off says so', { timeout: 120_000 }, async (_, offsets) => {
  await using leasehold = await open(offsets);
  const { client, server, worker } = leasehold;
  const issue = async () => {
    const { lease } = await client.leases.issueLease({ config: 'dynamic', ttl: seconds(TTL_S) });
    return { id: lease?.id ?? '', expireTime: lease?.expireTime?.getTime() ?? 0, issuedAt: Date.now() };
  };
  const before = await issue();
  if (offsets.later) {
    leasehold.jump();
  }
  const after = await issue();
  const long = await client.leases.issueLease({ config: 'dynamic', ttl: seconds(600) });

  for (const { id, expireTime, issuedAt } of [before, after]) {
    expect(Math.abs(expireTime - issuedAt - TTL_S * 1000)).toBeLessThan(LATE_MS / 2);
    const ended = await eventually(async () => {
      const lease = await client.leases.getLease({ id });
      expect(lease.state).toBe(LeaseState.LEASE_STATE_EXPIRED);
      return lease;
    });
    const endTime = ended.endTime?.getTime() ?? 0;
    expect(endTime).toBeGreaterThanOrEqual(expireTime);
    expect(endTime - expireTime).toBeLessThan(LATE_MS);
    expect(Date.now() - expireTime).toBeLessThan(LATE_MS + 5_000);
  }
  expect(await client.leases.getLease({ id: long.lease?.id ?? '' })).toMatchObject({
    state: LeaseState.LEASE_STATE_ACTIVE,
  });
  for (const [process, aheadMs] of [
    [server, offsets.server],
    [worker, offsets.worker],
  ] as const) {
    const said = () => process.logs.filter(({ msg }) => msg.startsWith('the clock of this machine is'));
    if (aheadMs === 0) {
      expect(said()).toEqual([]);
    } else {
      const direction = aheadMs > 0 ? 'ahead of' : 'behind';
      await eventually(async () =>
        expect(said().map(({ msg }) => msg)).toEqual([
          expect.stringMatching(new RegExp(`is \\d{4} s ${direction} that of Redis`)),
        ]),
      );
    }
  }
  expect(await commandsPerSecond()).toBeLessThan(IDLE_COMMANDS_PER_S);
});
