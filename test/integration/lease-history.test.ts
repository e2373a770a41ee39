import { Redis } from 'ioredis';
import { afterAll, describe, expect, inject, test } from 'vitest';
import type { Config } from '../../src/shared/domain/config.ts';
import type { Lease } from '../../src/shared/domain/lease.ts';
import type { Keys } from '../../src/shared/redis/keys.ts';
import { ended, revoking, START, sampleLease } from '../contract/samples.ts';
import { RETENTION_MS } from '../contract/stores.ts';
import { startNativeRedis } from '../servers/native-redis.ts';
import { ensureRedisBinary } from '../servers/redis-binary.ts';
import { openLeaseHistory } from '../support/lease-history.ts';

// What ended leases and request IDs take of Redis, by whom, and until when. A full Redis stops everything.

const redis = new Redis(inject('redisUrl'));
afterAll(() => redis.quit());

const ALL = { config: undefined, principal: undefined, states: [], before: undefined, limit: 1000 };
const ATTACKER = { principal: 'attacker' };
const DAY_MS = 24 * 60 * 60 * 1000;

test('a caller that issues and ends leases without end takes bounded space, and none of another caller', async () => {
  const { leases, issue, end, keysOf, bytesOf } = await openLeaseHistory(redis, { endedPerPrincipal: 20 });
  const ofVictim = await issue({ principal: 'victim' });
  await end(ofVictim);
  const flood = async (count: number) => {
    for (let made = 0; made < count; made++) {
      await end(await issue(ATTACKER), (['EXPIRED', 'REVOKED', 'FAILED'] as const)[made % 3]);
    }
    return (await bytesOf('lease')) + (await bytesOf('request')) + (await bytesOf('leases*'));
  };
  const full = await flood(60);
  expect(await flood(240)).toBeLessThan(full * 1.1);
  expect(await keysOf('lease')).toHaveLength(20 + 1);
  // Those of failed leases were free at once.
  expect((await keysOf('request')).length).toBeLessThanOrEqual(20 + 1);
  expect(await leases.get(ofVictim.id)).toMatchObject({ state: 'EXPIRED' });
});

describe('a lease that has ended takes at most', () => {
  test.each([
    ['1,200 bytes where it was dynamic', 1_200, {}, {}],
    ['1,000 bytes where it was static', 1_000, { kind: 'static', revocable: false }, {}],
    ['1,100 bytes where it was revocable', 1_100, { kind: 'static', revocable: true }, {}],
    ['3,500 bytes where the name of its caller has 2,048 characters', 3_500, {}, { principal: 'x'.repeat(2_048) }],
  ] as const)('%s, besides its index entries', async (_, most, credential, changes) => {
    const { issue, end, bytesOf, addConfig } = await openLeaseHistory(redis);
    const config =
      'kind' in credential
        ? await addConfig({ name: 'green', credential: { ...credential, namespace: 'one', serviceAccount: 'reader' } })
        : undefined;
    await end(await issue({ ...changes }, config));
    expect(await bytesOf('lease')).toBeLessThanOrEqual(most);
  });
});

test('a request ID is remembered while its lease lives, and for a day after its end', async () => {
  const { keys, leases, config, issue, end } = await openLeaseHistory(redis);
  const lease = await issue();
  const { principal, requestId = '' } = lease;
  expect(await redis.pttl(keys.request(principal, requestId))).toBe(-1);
  await end(lease);
  const left = await redis.pttl(keys.request(principal, requestId));
  expect(left).toBeGreaterThan(0);
  expect(left).toBeLessThanOrEqual(DAY_MS);
  const repeated = { principal, requestId, fingerprint: 'another' };
  await expect(leases.record(sampleLease(config), repeated)).rejects.toMatchObject({ reason: 'REQUEST_ID_REUSED' });
});

test('of what was forgotten nothing is left', async () => {
  const { leases, issue, end, keysOf } = await openLeaseHistory(redis);
  for (const as of ['EXPIRED', 'REVOKED', 'FAILED'] as const) {
    await end(await issue({ principal: `caller of ${as}` }), as);
  }
  await end(await issue({ purpose: 'trial', requestId: undefined }));
  expect(await leases.forgetEnded(START + RETENTION_MS)).toBe(3);
  const kinds = ['lease', 'request', 'leases', 'leases-of', 'leases-by', 'leases-of-by', 'ended', 'ended-by', 'due'];
  const left = await Promise.all(kinds.map(keysOf));
  expect(left.flat()).toEqual([]);
});

test('a record that cannot be read does not keep the history from being bounded', async () => {
  const { leases, keys, issue, end, keysOf } = await openLeaseHistory(redis, { endedPerPrincipal: 3 });
  for (const damage of ['', '{"id":"x"}', '{"config":{},"principal":"p","state":"s"}', '"text"', '7', 'null']) {
    const lease = await issue();
    await end(lease);
    await redis.hset(keys.lease(lease.id), 'data', damage);
  }
  const overwritten = await issue();
  await end(overwritten);
  await redis.set(keys.lease(overwritten.id), 'no hash');
  for (let made = 0; made < 6; made++) {
    await end(await issue());
  }
  expect(await keysOf('lease')).toHaveLength(3);
  expect(await leases.list(ALL)).toHaveLength(3);
});

test('a lease ends in a Redis whose memory is used up, and gives some back', async () => {
  const full = await startNativeRedis(await ensureRedisBinary(), () => undefined);
  const own = new Redis(full.url);
  try {
    const { leases, config, issue, end } = await openLeaseHistory(own);
    const lease = await issue();
    await own.config('SET', 'maxmemory', '1mb');
    await expect(leases.record(sampleLease(config))).rejects.toThrow('its memory is used up');
    expect(await end(lease)).toBe(true);
    expect(await leases.get(lease.id)).toMatchObject({ state: 'EXPIRED' });
  } finally {
    await own.quit();
    await full.stop();
  }
});

describe('records that an earlier version left', () => {
  test('of ended leases are read, listed, and forgotten whole', async () => {
    const { leases, keys, config, keysOf } = await openLeaseHistory(redis);
    const old = revokedAsBefore(config);
    await storeAsBefore(keys, old);
    expect(await leases.get(old.id)).toEqual(old);
    for (const query of [{}, { config: 'blue' }, { principal: 'caller' }, { config: 'blue', principal: 'caller' }]) {
      expect(await leases.list({ ...ALL, ...query })).toEqual([old]);
    }
    expect(await leases.forgetEnded(START + RETENTION_MS)).toBe(1);
    expect((await Promise.all(['lease', 'leases*', 'ended'].map(keysOf))).flat()).toEqual([]);
  });

  test('of ended leases count for the limit', async () => {
    const { leases, keys, config, issue, end, keysOf } = await openLeaseHistory(redis, { endedPerPrincipal: 4 });
    for (let made = 0; made < 30; made++) {
      await storeAsBefore(keys, revokedAsBefore(config));
    }
    const latest: string[] = [];
    for (let made = 0; made < 4; made++) {
      const lease = await issue();
      await end(lease);
      latest.unshift(lease.id);
    }
    expect((await leases.list(ALL)).map(({ id }) => id)).toEqual(latest);
    expect(await keysOf('lease')).toHaveLength(4);
  });

  test('of a live lease with a request ID that expires end like any other', async () => {
    const { leases, keys, issue, end } = await openLeaseHistory(redis);
    const lease = await issue();
    await redis.pexpire(keys.request(lease.principal, lease.requestId ?? ''), DAY_MS);
    expect(await end(lease)).toBe(true);
    expect(await leases.get(lease.id)).toMatchObject({ state: 'EXPIRED' });
  });
});

function revokedAsBefore(config: Config): Lease {
  return ended(revoking(sampleLease(config, { traceparent: '00-1-2-01', settleTime: START })));
}

/** Version, whole lease and list of indexes, as the script of version 0.1 wrote them. */
async function storeAsBefore(keys: Keys, lease: Lease): Promise<void> {
  const { id, config, principal, state, endTime = 0 } = lease;
  const indexes = [
    keys.leasesIn(state),
    keys.leasesOf(config, state),
    keys.leasesBy(principal, state),
    keys.leasesOfBy(config, principal, state),
  ];
  const fields = { version: lease.version, data: JSON.stringify(lease), indexes: JSON.stringify(indexes) };
  await redis.hset(keys.lease(id), fields);
  await Promise.all([...indexes.map((index) => redis.zadd(index, 0, id)), redis.zadd(keys.ended, endTime, id)]);
}
