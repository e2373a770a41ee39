import { createSecretKey, randomBytes, randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { afterAll, expect, inject, test } from 'vitest';
import type { Gateway } from '../../src/shared/domain/gateway.ts';
import { DEFAULT_QUOTAS } from '../../src/shared/domain/quotas.ts';
import { DamageReports } from '../../src/shared/redis/damage-reports.ts';
import { KeyCustody } from '../../src/shared/redis/key-custody.ts';
import { Keys } from '../../src/shared/redis/keys.ts';
import { RedisBatchStore } from '../../src/shared/redis/redis-batch-store.ts';
import { RedisGatewayStore } from '../../src/shared/redis/redis-gateway-store.ts';
import { PlainScripts, type ScriptRunner } from '../../src/shared/redis/script-runner.ts';
import { Keyring } from '../../src/shared/sealing/keyring.ts';
import { batchOf } from '../contract/quota-kinds.ts';
import { eventually } from '../support/eventually.ts';

// Whatever has many members is worked on in slices: no script takes all of them as its keys, or holds Redis up.

const redis = new Redis(inject('redisUrl'));
afterAll(() => redis.quit());

/** A script of Redis takes about 8,000 values at once (LUAI_MAXCSTACK), and each makes the others wait longer. */
const MANY = 20_000;

const damage = new DamageReports(() => undefined);

/** A gateway with so many identities, as agents leave them that enroll anew at each start. */
async function gatewayWith(count: number, scripts: ScriptRunner = new PlainScripts(redis)) {
  const keys = new Keys(`slices-${randomUUID().slice(0, 8)}`);
  const store = new RedisGatewayStore(redis, new PlainScripts(redis), keys, damage);
  const gateway: Gateway = { name: 'edge', uid: randomUUID(), createTime: 0 };
  await store.create(gateway);
  const ids = Array.from({ length: count }, () => randomUUID());
  const pipeline = redis.pipeline();
  for (const id of ids) {
    pipeline.hset(keys.gatewayIdentity(id), { gateway: 'edge', uid: gateway.uid, generation: '1', publicKey: id });
    pipeline.sadd(keys.gatewayIdentities(gateway.uid), id);
  }
  await pipeline.exec();
  return { keys, ids, gateway, store: new RedisGatewayStore(redis, scripts, keys, damage) };
}

const keysLeft = ({ pattern }: Keys) => redis.keys(pattern.replace(/[[\]]/g, '\\$&'));

test('a gateway of 20,000 identities is deleted, and nothing of it stays', async () => {
  const { keys, ids, gateway, store } = await gatewayWith(MANY);
  await store.delete(gateway);
  expect(await store.identity(ids[0] ?? '')).toBeUndefined();
  expect(await keysLeft(keys)).toEqual([]);
});

test('20,000 identities of a gateway are revoked, and one that enrolls afterwards stays', async () => {
  const { ids, gateway, store } = await gatewayWith(MANY);
  await store.revokeIdentities(gateway);
  expect(await store.countIdentities(gateway)).toBe(0);
  expect(await store.identity(ids[0] ?? '')).toBeUndefined();
  await store.keepToken(gateway, 'hash', 60_000);
  const later = await store.enrol('hash', { id: randomUUID(), publicKey: 'key' });
  expect(await store.identity(later?.id ?? '')).toEqual(later);
});

test('a deletion that stops in between leaves nothing that counts, and the next one finishes it', async () => {
  let runs = 0;
  const dying: ScriptRunner = {
    run(lua, keys, args) {
      runs += 1;
      return runs > 3 ? Promise.reject(new Error('the server died')) : new PlainScripts(redis).run(lua, keys, args);
    },
  };
  const { keys, ids, gateway, store } = await gatewayWith(5_000, dying);
  await expect(store.delete(gateway)).rejects.toThrow('the server died');
  expect(await store.get('edge')).toBeUndefined();
  expect(await Promise.all(ids.map((id) => store.identity(id)))).toEqual(ids.map(() => undefined));

  const other = new RedisGatewayStore(redis, new PlainScripts(redis), keys, damage);
  const another = { name: 'another', uid: randomUUID(), createTime: 0 };
  await other.create(another);
  await other.delete(another);
  expect(await keysLeft(keys)).toEqual([]);
});

test('20,000 accesses under a key, and as many unfinished batches, are read page after page', async () => {
  const keys = new Keys(`slices-${randomUUID().slice(0, 8)}`);
  const ids = Array.from({ length: MANY }, () => randomUUID());
  const pipeline = redis.pipeline();
  for (const id of ids) {
    pipeline.sadd(keys.accessesUnder('k1'), id);
    pipeline.sadd(keys.unfinishedBatches, id);
  }
  pipeline.hset(keys.keyChecks, 'k1', 'check');
  await pipeline.exec();
  const asked = await commandsOf(async () => {
    const scripts = new PlainScripts(redis);
    expect((await new RedisBatchStore(redis, scripts, keys).unfinished()).toSorted()).toEqual(ids.toSorted());
    const keyring = new Keyring({ primary: 'k2', keys: new Map([['k2', createSecretKey(randomBytes(32))]]) });
    await new KeyCustody(redis, scripts, keys, damage).check(keyring);
  });
  // None of them is there any more, and the set says so.
  expect(await redis.scard(keys.accessesUnder('k1'))).toBe(0);
  expect([...asked.keys()]).not.toContain('smembers');
  expect(asked.get('sscan')).toBeGreaterThan(100);
});

test('20,000 reports of a batch that is forgotten are freed beside what else Redis does', async () => {
  const keys = new Keys(`slices-${randomUUID().slice(0, 8)}`);
  const quotas = { ...DEFAULT_QUOTAS, endedBatchesPerPrincipal: 1 };
  const store = new RedisBatchStore(redis, new PlainScripts(redis), keys, quotas);
  const [old, later] = [batchOf('caller'), batchOf('caller')];
  await store.record(old);
  await store.record(later);
  const pipeline = redis.pipeline();
  for (let made = 0; made < MANY; made++) {
    pipeline.xadd(keys.batchReports(old.id), '*', 'outcome', 'a lease');
  }
  await pipeline.exec();
  await store.end(old.id, 1);
  const before = await freedBeside();
  await store.end(later.id, 2);
  expect(await redis.exists(keys.batchReports(old.id))).toBe(0);
  await eventually(async () => expect(await freedBeside()).toBeGreaterThan(before));
});

async function freedBeside(): Promise<number> {
  return Number((await redis.info('memory')).match(/^lazyfreed_objects:(\d+)/m)?.[1]);
}

/** How often Redis was given each command meanwhile; other tests run on it, too. */
async function commandsOf(work: () => Promise<void>): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  const watched = redis.sendCommand;
  redis.sendCommand = function (this: Redis, command, stream) {
    counts.set(command.name, (counts.get(command.name) ?? 0) + 1);
    return watched.call(this, command, stream);
  };
  try {
    await work();
  } finally {
    redis.sendCommand = watched;
  }
  return counts;
}
