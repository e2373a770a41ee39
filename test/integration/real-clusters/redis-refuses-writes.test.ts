import { execFile } from 'node:child_process';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Status } from 'nice-grpc';
import { expect, inject, test } from 'vitest';
import { LeaseState } from '../../../src/gen/leasehold/v1/lease.ts';
import { createRuntime } from '../../../src/shared/runtime.ts';
import { readSettings } from '../../../src/shared/settings.ts';
import { createLogger } from '../../../src/shared/telemetry/logger.ts';
import type { NativeRedis } from '../../servers/native-redis.ts';
import { startRestartableRedis } from '../../servers/redis-server.ts';
import { Admin } from '../../support/admin.ts';
import { eventually } from '../../support/eventually.ts';
import { connectTo, leaseholdEnvironment } from '../../support/leasehold.ts';
import { type LeaseholdProcess, spawnLeasehold } from '../../support/leasehold-process.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { startServerAndWorker } from '../../support/server-and-worker.ts';
import { seconds, setUpDynamic } from '../../support/set-ups.ts';

// A Redis that answers, and refuses what Leasehold wants of it, under a server and a worker that stay.

const redisCli = promisify(execFile);

/** Longer than the leases below, and than any of the intervals at which BullMQ looks after its queues. */
const REFUSES_FOR_MS = 12_000;

/** Lines of a process in that time, warnings and worse. */
const FEW_LINES = 12;

/** "At once", on a machine that is five times slower. */
const AT_ONCE_MS = 6_000;

/** As what Leasehold connects: the default user keeps what it may do, for these tests. */
const USER = 'leasehold';
const PASSWORD = 'only-for-this-test';

type Redis = NativeRedis & { command(...args: string[]): Promise<string> };

async function openRedis(): Promise<Redis> {
  const redis = await startRestartableRedis();
  const port = new URL(redis.url).port;
  const command = async (...args: string[]) => {
    const { stdout } = await redisCli('redis-cli', ['-p', port, ...args]);
    if (/^(?:ERR|NO|MISCONF|OOM)/.test(stdout)) {
      throw new Error(stdout);
    }
    return stdout;
  };
  await command('ACL', 'SETUSER', USER, 'on', `>${PASSWORD}`, '~*', '&*', '+@all');
  return Object.assign(redis, { command });
}

interface Refusal {
  refuse(redis: Redis): Promise<unknown>;
  relent(redis: Redis): Promise<unknown>;
}

const REFUSALS: [what: string, words: string, Refusal][] = [
  [
    'its memory is used up',
    'its memory is used up (maxmemory)',
    {
      refuse: ({ command }) => command('CONFIG', 'SET', 'maxmemory', '1mb'),
      relent: ({ command }) => command('CONFIG', 'SET', 'maxmemory', '0'),
    },
  ],
  [
    'it is a read-only replica',
    'it is a read-only replica (READONLY)',
    {
      refuse: ({ command }) => command('REPLICAOF', '127.0.0.1', '1'),
      relent: ({ command }) => command('REPLICAOF', 'NO', 'ONE'),
    },
  ],
  [
    'its replicas are gone',
    'too few of its replicas are connected (NOREPLICAS, min-replicas-to-write)',
    {
      refuse: ({ command }) => command('CONFIG', 'SET', 'min-replicas-to-write', '1'),
      relent: ({ command }) => command('CONFIG', 'SET', 'min-replicas-to-write', '0'),
    },
  ],
  [
    'its disk takes nothing',
    'it cannot persist to its disk (MISCONF)',
    {
      async refuse({ command, folder }) {
        await mkdir(join(folder, 'dump.rdb'));
        await command('CONFIG', 'SET', 'save', '3600 1');
        await command('BGSAVE');
        await eventually(async () => expect(await command('INFO')).toContain('rdb_last_bgsave_status:err'));
      },
      async relent({ command, folder }) {
        await rm(join(folder, 'dump.rdb'), { recursive: true });
        await command('CONFIG', 'SET', 'save', '');
      },
    },
  ],
];

async function openLeasehold(redis: Redis) {
  const { url, caPem, adminToken } = inject('controlPlane');
  const admin = new Admin({ url, caPem }, adminToken);
  const redisUrl = redis.url.replace('//', `//${USER}:${PASSWORD}@`);
  const environment = leaseholdEnvironment(redisUrl);
  const leasehold = await startServerAndWorker(environment);
  const { config } = await setUpDynamic({ cluster: { url, caPem }, admin }, 'dynamic');
  await leasehold.client.configs.createConfig({ config });
  return { ...leasehold, environment, admin };
}

const isTrouble = ({ level }: LeaseholdProcess['logs'][number]) => Number(level) >= 40;
const textOf = (process: LeaseholdProcess) => process.logs.map(({ msg }) => msg).join('\n');
const timesIn = (process: LeaseholdProcess, words: string) =>
  process.logs.filter(({ msg }) => msg.includes(words)).length;

function isPast(time: number): Promise<void> {
  return eventually(
    async () => {
      if (Date.now() < time) {
        throw new Error(`it is not yet ${time}`);
      }
    },
    { withinMs: time - Date.now() + 1_000 },
  );
}

test.concurrent.each(REFUSALS)('Redis refuses writes because %s', { timeout: 240_000 }, async (_, words, refusal) => {
  await using stack = new AsyncDisposableStack();
  const redis = await openRedis();
  stack.defer(() => redis.stop());
  const { client, server, worker, environment, admin, stop } = await openLeasehold(redis);
  stack.defer(async () => void (await stop()));
  const { lease } = await client.leases.issueLease({ config: 'dynamic', ttl: seconds(4) });
  const id = lease?.id ?? '';

  await refusal.refuse(redis);
  const until = Date.now() + REFUSES_FOR_MS;

  // Of a batch, which is not refused at the high-water mark of memory, and which concerns no lease.
  const batch = client.leases.batchRevokeLeases({ target: { $case: 'principal', value: 'somebody-else' } });
  expect(await rejectionOf(Array.fromAsync(batch))).toMatchObject({
    code: Status.UNAVAILABLE,
    reason: 'STORE_UNAVAILABLE',
    message: expect.stringContaining(`Redis refuses writes: ${words}`),
  });
  // Where it became a replica, the connections are made anew at times, to look for the master.
  await eventually(async () => expect(await client.leases.getLease({ id })).toMatchObject({ id }));
  // Processes that start meanwhile say what is wrong, and read.
  const lateServer = spawnLeasehold('server', environment);
  const lateWorker = spawnLeasehold('worker', environment);
  stack.defer(async () => void (await Promise.all([lateServer.stop(), lateWorker.stop()])));
  const { address = '' } = await lateServer.logged('serving');
  await lateWorker.logged('working');
  const lateClient = connectTo(address);
  stack.defer(() => lateClient.close());
  await eventually(async () => expect(await lateClient.leases.getLease({ id })).toMatchObject({ id }));
  await isPast(until);
  for (const process of [server, worker, lateServer, lateWorker]) {
    expect(process.logs.filter(isTrouble).length, textOf(process)).toBeLessThan(FEW_LINES);
    expect(textOf(process)).not.toContain('LEASEHOLD_SEAL_KEY');
  }
  for (const process of [server, worker, lateWorker]) {
    expect(timesIn(process, `Redis refuses writes: ${words}`)).toBe(1);
  }

  await refusal.relent(redis);
  await eventually(
    async () => expect(await client.leases.getLease({ id })).toMatchObject({ state: LeaseState.LEASE_STATE_EXPIRED }),
    { withinMs: AT_ONCE_MS },
  );
  expect(await admin.leaseholdObjects(environment['LEASEHOLD_INSTALLATION'])).toEqual([]);
  await eventually(async () => expect(timesIn(worker, 'Redis takes writes again')).toBe(1));
  const issued = await eventually(() => client.leases.issueLease({ config: 'dynamic' }));
  expect(issued).toMatchObject({ lease: { state: LeaseState.LEASE_STATE_ACTIVE } });
});

test('a process that writes nothing but the links of gateways says so as well, once', async () => {
  await using stack = new AsyncDisposableStack();
  const redis = await openRedis();
  stack.defer(() => redis.stop());
  const lines: string[] = [];
  const log = createLogger('server', 'info', { write: (line: string) => lines.push(line) });
  const runtime = await createRuntime(readSettings(leaseholdEnvironment(redis.url)), log);
  stack.defer(() => runtime.close());
  const { gateways, gatewayLinks } = runtime.ports;
  const gateway = { name: 'edge', uid: 'uid' };
  await gateways.create({ ...gateway, createTime: 0 });
  await gateways.keepToken(gateway, 'hash', 60_000);
  const identity = await gateways.enrol('hash', { id: 'identity', publicKey: 'key' });
  const link = {
    id: 'link',
    gateway,
    identityId: identity?.id ?? '',
    instanceId: 'agent',
    version: '1',
    connectTime: 0,
    server: 'relay:1',
  };
  expect(await gatewayLinks.announce(link)).toBe(true);
  await redis.command('CONFIG', 'SET', 'maxmemory', '1mb');
  for (let times = 0; times < 3; times++) {
    await expect(gatewayLinks.announce(link)).rejects.toThrow('Redis refuses writes: its memory is used up');
  }
  expect(lines.filter((line) => line.includes('Redis refuses writes'))).toHaveLength(1);
  runtime.onStoreError(new Error("READONLY You can't write against a read only replica."));
  expect(lines.filter((line) => line.includes('trouble with Redis'))).toEqual([]);

  await redis.command('CONFIG', 'SET', 'maxmemory', '0');
  await eventually(async () => expect(lines.join('')).toContain('Redis takes writes again'));
  runtime.onStoreError(new Error("OOM command not allowed when used memory > 'maxmemory'."));
  expect(await runtime.gate.pass()).toBe(true);
});
