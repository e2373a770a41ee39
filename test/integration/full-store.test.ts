import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { Status } from 'nice-grpc';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { LeaseState } from '../../src/gen/leasehold/v1/lease.ts';
import { createRuntime } from '../../src/shared/runtime.ts';
import { createLogger } from '../../src/shared/telemetry/logger.ts';
import { type NativeRedis, startNativeRedis } from '../servers/native-redis.ts';
import { ensureRedisBinary } from '../servers/redis-binary.ts';
import { bringNear } from '../support/bring-near.ts';
import { eventually } from '../support/eventually.ts';
import { type Leasehold, startLeasehold } from '../support/leasehold.ts';
import { type Rejection, rejectionOf } from '../support/rejection.ts';
import { refusal, type ScriptedCluster, startScriptedCluster } from '../support/scripted-cluster.ts';
import { directAccess, seconds } from '../support/set-ups.ts';

// A Redis of 64 MB that callers fill within their limits, and one that somebody else fills. Its API server is a scripted one.

const CALLERS = 64;

/** What a lease may carry: about 7 KB. */
const LONG_AUDIENCES = Array.from({ length: 16 }, (_, index) => `${index}`.padEnd(253, 'a'));

/** Nearly as long as Node takes headers. */
const LONG_TOKEN = 't'.repeat(12_000);
const MAX_CA_BYTES = 65_536;

/** Three bytes for each of its characters, and as many of them as an API server may send. */
const LONG_WORDS = '\u4e2d'.repeat(4_000);

const ENDED_KEPT_SECONDS = 1;

let stack: AsyncDisposableStack;
let redis: NativeRedis;
let direct: Redis;
let cluster: ScriptedCluster;
let leasehold: Leasehold;
beforeEach(async () => {
  stack = new AsyncDisposableStack();
  redis = await startNativeRedis(await ensureRedisBinary(), () => undefined, ['--maxmemory', '64mb']);
  stack.defer(() => redis.stop());
  direct = new Redis(redis.url);
  stack.defer(() => direct.disconnect());
  cluster = await startScriptedCluster();
  stack.defer(() => cluster.stop());
  leasehold = await startLeasehold(redis.url, {
    LEASEHOLD_LOG_LEVEL: 'warn',
    LEASEHOLD_MAX_LEASES_PER_PRINCIPAL: '10000',
    LEASEHOLD_ENDED_RETENTION: `${ENDED_KEPT_SECONDS}`,
    LEASEHOLD_SWEEP_INTERVAL: '1',
    // It would refuse the caller before the store is full.
    LEASEHOLD_MAX_CONFIGS_PER_PRINCIPAL: '10000',
  });
  stack.defer(() => leasehold.stop());
  await leasehold.configs.createConfig({ config: configNamed('kept') });
  await leasehold.configs.createConfig({ config: configNamed('filling') });
});
afterEach(() => stack.disposeAsync());

function configNamed(name: string, { url, caPem } = { url: cluster.url, caPem: cluster.caPem }, token = 'token') {
  return {
    name,
    defaultTtl: seconds(3_000),
    maxTtl: seconds(7_200),
    audiences: LONG_AUDIENCES,
    access: directAccess({ url, caPem }, token),
    credential: {
      $case: 'static' as const,
      value: { namespace: 'team', serviceAccount: 'reader', revocable: true },
    },
  };
}

/** A config of the largest size; where its cluster does not let it, its access is stored only while it is tried. */
function failingConfig() {
  const copies = Math.floor(MAX_CA_BYTES / Buffer.byteLength(cluster.caPem)) - 1;
  return configNamed(
    `draft-${randomUUID()}`,
    { url: cluster.url, caPem: `${cluster.caPem.trimEnd()}\n`.repeat(copies) },
    LONG_TOKEN,
  );
}

const issue = (config: string, ttlSeconds = 3_000) =>
  leasehold.leases.issueLease({
    config,
    ttl: seconds(ttlSeconds),
    requestId: randomUUID(),
    audiences: LONG_AUDIENCES,
  });

/** Calls on and on, many at once, until the store takes no more, and the log says so. Returns how each caller was told. */
function fill(call: (turn: number) => Promise<unknown>): Promise<Rejection[]> {
  let turn = 0;
  const callUntilFull = async (): Promise<Rejection> => {
    for (;;) {
      const made = call(turn++);
      const failed = await made.then(
        () => false,
        () => true,
      );
      const told = failed ? await rejectionOf(made) : undefined;
      if (told?.reason?.startsWith('STORE_') && (isSaidToBeFull() || told.reason !== 'STORE_ALMOST_FULL')) {
        return told;
      }
    }
  };
  return Promise.all(Array.from({ length: CALLERS }, callUntilFull));
}

const isSaidToBeFull = () => leasehold.logs.some((line) => line.includes('has reached the high-water mark'));

async function writesRefusedByRedis(): Promise<string[]> {
  const errors = await direct.info('errorstats');
  return errors.match(/^errorstat_OOM:.*$/m) ?? [];
}

async function revokeAllOn(config: string) {
  const messages = await Array.fromAsync(
    leasehold.leases.batchRevokeLeases({ target: { $case: 'config', value: config } }),
  );
  return messages.at(-1);
}

async function bringEndsNear(ids: readonly string[]): Promise<void> {
  const { ports, close } = await createRuntime(leasehold.settings, createLogger('test', 'silent'));
  try {
    for (const id of ids) {
      const lease = await ports.leases.get(id);
      if (lease) {
        await bringNear(ports, lease, ports.clock.now());
      }
    }
  } finally {
    await close();
  }
}

async function countIn(config: string, states: LeaseState[]): Promise<number> {
  return (await leasehold.leases.listLeases({ config, states, pageSize: 1_000 })).leases.length;
}

const LIVE = [LeaseState.LEASE_STATE_ACTIVE, LeaseState.LEASE_STATE_REVOKING];

test('a full store refuses what is new, and takes down what is due', { timeout: 300_000 }, async () => {
  const issued = await Promise.all(Array.from({ length: 20 }, () => issue('kept')));
  const ids = issued.map(({ lease }) => lease?.id ?? '');
  const [renewed = '', revoked = '', ...due] = ids;
  const denied = new Set<string>([LONG_TOKEN]);
  cluster.play(({ what, token }) =>
    denied.has(token) && what === 'get serviceaccounts' ? refusal(403, 'Forbidden', 'no') : undefined,
  );

  const told = await fill((turn) =>
    turn % 4 === 0 ? leasehold.configs.createConfig({ config: failingConfig() }) : issue('filling'),
  );
  // However many were refused.
  expect(leasehold.logs.filter((line) => line.includes('has reached the high-water mark'))).toHaveLength(1);
  for (const rejection of told) {
    expect(rejection).toMatchObject({
      code: Status.RESOURCE_EXHAUSTED,
      reason: 'STORE_ALMOST_FULL',
      quotas: ['store'],
      retry: true,
    });
  }

  // What goes on.
  const retokened = configNamed('kept', cluster, 'another-token');
  await leasehold.configs.updateConfig({ config: retokened, updateMask: ['direct.token'] });
  await leasehold.leases.renewLease({ id: renewed, ttl: seconds(3_500) });
  expect(await leasehold.leases.revokeLease({ id: revoked })).toMatchObject({ state: LeaseState.LEASE_STATE_REVOKED });
  expect(await leasehold.configs.listConfigs({})).toMatchObject({ configs: [{ name: 'filling' }, { name: 'kept' }] });
  await bringEndsNear(due);
  await eventually(async () => expect(await countIn('kept', LIVE)).toBe(1));

  // The worst that a cluster can do with all that live.
  cluster.play(({ what }) => (what.startsWith('delete') ? refusal(403, 'Forbidden', LONG_WORDS) : undefined));
  expect(await revokeAllOn('filling')).toMatchObject({ done: true, revokedCount: 0 });
  cluster.play(() => undefined);
  await eventually(async () => expect(await countIn('filling', LIVE)).toBe(0));
  expect(await writesRefusedByRedis()).toEqual([]);

  // And there is room again.
  const { lease } = await eventually(() => issue('filling'));
  expect(lease).toMatchObject({ state: LeaseState.LEASE_STATE_ACTIVE });
});

test('what a cluster refuses to take down has its room, whether it says why in few words or, later, in many', {
  timeout: 300_000,
}, async () => {
  await direct.config('SET', 'maxmemory', '24mb');
  const refuseDeletes = (words: string) =>
    cluster.play(({ what }) => (what.startsWith('delete') ? refusal(403, 'Forbidden', words) : undefined));
  refuseDeletes('no');
  const issueShort = () => leasehold.leases.issueLease({ config: 'filling', requestId: randomUUID() });
  for (let round = 0; round < 2; round++) {
    await fill(issueShort);
    expect(await revokeAllOn('filling')).toMatchObject({ done: true, revokedCount: 0 });
  }

  refuseDeletes(LONG_WORDS);
  expect(await revokeAllOn('filling')).toMatchObject({ done: true, revokedCount: 0 });
  expect(await writesRefusedByRedis()).toEqual([]);
  cluster.play(() => undefined);
  expect(await revokeAllOn('filling')).toMatchObject({ done: true });
  await eventually(async () => expect(await countIn('filling', LIVE)).toBe(0));
});

test.each<[what: string, call: () => Promise<unknown>]>([
  ['short leases', () => leasehold.leases.issueLease({ config: 'filling', requestId: randomUUID() })],
  ['configs', () => leasehold.configs.createConfig({ config: { ...failingConfig(), name: `c-${randomUUID()}` } })],
])('%s at full speed do not bring Redis to its limit', { timeout: 300_000 }, async (_, call) => {
  // Something else has taken most of it.
  await direct.setrange('neighbor', 36 * 1024 * 1024, 'x');
  const told = await fill(call);
  expect(new Set(told.map(({ reason }) => reason))).toEqual(new Set(['STORE_ALMOST_FULL']));
  expect(await writesRefusedByRedis()).toEqual([]);
});

test('cluster tokens at full speed take half of what is above the mark, and what is due is taken down in the rest', {
  timeout: 300_000,
}, async () => {
  const { lease } = await issue('kept');
  const names = Array.from({ length: CALLERS }, (_, index) => `replaced-${index}`);
  await Promise.all(names.map((name) => leasehold.configs.createConfig({ config: configNamed(name) })));
  await direct.setrange('neighbor', 48 * 1024 * 1024, 'x');
  // The former access of each stays for a minute.
  const told = await fill((turn) =>
    leasehold.configs.updateConfig({
      config: { ...failingConfig(), name: names[turn % names.length] ?? '' },
      updateMask: ['direct'],
    }),
  );
  expect(new Set(told.map(({ reason }) => reason))).toEqual(new Set(['STORE_ALMOST_FULL']));
  await bringEndsNear([lease?.id ?? '']);
  await eventually(async () => expect(await countIn('kept', LIVE)).toBe(0));
  expect(await writesRefusedByRedis()).toEqual([]);
});

test('a Redis that somebody else fills: what is due waits, and goes on when there is room', {
  timeout: 120_000,
}, async () => {
  const { lease } = await issue('kept');
  const id = lease?.id ?? '';
  await direct.setrange('neighbor', 70 * 1024 * 1024, 'x');

  expect(await rejectionOf(leasehold.leases.renewLease({ id }))).toMatchObject({
    code: Status.UNAVAILABLE,
    reason: 'STORE_UNAVAILABLE',
    message: expect.stringContaining('its memory is used up (maxmemory)'),
  });
  await eventually(async () => expect(await rejectionOf(issue('kept'))).toMatchObject({ reason: 'STORE_ALMOST_FULL' }));
  expect(await leasehold.leases.getLease({ id })).toMatchObject({ state: LeaseState.LEASE_STATE_ACTIVE });
  await direct.del('neighbor');
  await bringEndsNear([id]);
  await eventually(async () => expect(await countIn('kept', LIVE)).toBe(0));
  await eventually(() => issue('kept'));
});
