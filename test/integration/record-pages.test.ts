import { createSecretKey, randomBytes, randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { afterAll, expect, inject, test } from 'vitest';
import { DamageReports } from '../../src/shared/redis/damage-reports.ts';
import { Keys } from '../../src/shared/redis/keys.ts';
import { RedisAccesses } from '../../src/shared/redis/redis-accesses.ts';
import { RedisConfigStore } from '../../src/shared/redis/redis-config-store.ts';
import { RedisGatewayStore } from '../../src/shared/redis/redis-gateway-store.ts';
import { RedisLeaseStore } from '../../src/shared/redis/redis-lease-store.ts';
import { PlainScripts } from '../../src/shared/redis/script-runner.ts';
import { Keyring } from '../../src/shared/sealing/keyring.ts';
import { sampleConfig, sampleLease } from '../contract/samples.ts';
import { GENEROUS, RETENTION_MS } from '../contract/stores.ts';

// Whoever reads page after page takes a short page for the last one: batches by labels, the reading back, lists.

const redis = new Redis(inject('redisUrl'));
afterAll(() => redis.quit());

function openStores() {
  const keys = new Keys(`pages-${randomUUID().slice(0, 8)}`);
  const scripts = new PlainScripts(redis);
  const keyring = new Keyring({ primary: 'k', keys: new Map([['k', createSecretKey(randomBytes(32))]]) });
  const damage = new DamageReports(() => undefined);
  return {
    keys,
    configs: new RedisConfigStore(
      redis,
      scripts,
      keys,
      new RedisAccesses(redis, scripts, keys, keyring, damage),
      damage,
    ),
    leases: new RedisLeaseStore(redis, scripts, keys, { retentionMs: RETENTION_MS, limits: GENEROUS }, damage),
    gateways: new RedisGatewayStore(redis, scripts, keys, damage),
  };
}

type Stores = ReturnType<typeof openStores>;

async function storeConfig({ configs }: Stores, name: string) {
  const config = sampleConfig(name);
  await configs.keepAccess(config.access);
  await configs.create(config);
  return config;
}

test('a config that is deleted while its page is read does not end the list', async () => {
  const stores = openStores();
  for (const name of ['a', 'c', 'd']) {
    await storeConfig(stores, name);
  }
  await redis.zadd(stores.keys.configNames, 0, 'b');
  const page = await stores.configs.list({ after: '', limit: 2 });
  expect(page.map(({ name }) => name)).toEqual(['a', 'c']);
  const next = await stores.configs.list({ after: 'c', limit: 2 });
  expect(next.map(({ name }) => name)).toEqual(['d']);
});

test('nor does a gateway', async () => {
  const { gateways, keys } = openStores();
  for (const name of ['b', 'c']) {
    await gateways.create({ name, uid: randomUUID(), createTime: 0 });
  }
  await redis.zadd(keys.gatewayNames, 0, 'a');
  expect((await gateways.list({ after: '', limit: 1 })).map(({ name }) => name)).toEqual(['b']);
});

test('nor do leases that are forgotten', async () => {
  const stores = openStores();
  const { leases, keys } = stores;
  const config = await storeConfig(stores, 'blue');
  const [first, second, third] = [sampleLease(config), sampleLease(config), sampleLease(config)];
  for (const lease of [first, second, third]) {
    await leases.record(lease);
  }
  await redis.del(keys.lease(second.id), keys.lease(third.id));
  const all = { config: undefined, principal: undefined, states: [], before: undefined };
  expect(await leases.list({ ...all, limit: 1 })).toEqual([first]);
});

test('nor does a gateway whose record is damaged', async () => {
  const { gateways, keys } = openStores();
  for (const name of ['a', 'b']) {
    await gateways.create({ name, uid: randomUUID(), createTime: 0 });
  }
  await redis.hset(keys.gateway('a'), 'data', '{"name": "a"');
  expect((await gateways.list({ after: '', limit: 9 })).map(({ name }) => name)).toEqual(['b']);
  await expect(gateways.get('a')).rejects.toMatchObject({ reason: 'STORED_RECORD_DAMAGED' });
});
