import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import type { Config } from '../../src/shared/domain/config.ts';
import type { EndedState, Lease } from '../../src/shared/domain/lease.ts';
import type { LeaseLimits } from '../../src/shared/domain/lease-limits.ts';
import { DamageReports } from '../../src/shared/redis/damage-reports.ts';
import { Keys } from '../../src/shared/redis/keys.ts';
import { RedisLeaseStore } from '../../src/shared/redis/redis-lease-store.ts';
import { PlainScripts } from '../../src/shared/redis/script-runner.ts';
import { active, ended, revoking, sampleConfig, sampleLease } from '../contract/samples.ts';
import { GENEROUS, RETENTION_MS } from '../contract/stores.ts';

/** A lease store of its own on a Redis, with one config, whose leases a test lives through fast. */
export async function openLeaseHistory(redis: Redis, limits: Partial<LeaseLimits> = {}) {
  const keys = new Keys(`history-${randomUUID().slice(0, 8)}`);
  const config = await storeConfig(redis, keys);
  const leases = new RedisLeaseStore(
    redis,
    new PlainScripts(redis),
    keys,
    { retentionMs: RETENTION_MS, limits: { ...GENEROUS, ...limits } },
    new DamageReports(() => undefined),
  );

  /** An ACTIVE lease that was issued for a request, unless `changes` say otherwise. */
  async function issue(changes: Partial<Lease> = {}, on = config): Promise<Lease> {
    const lease = sampleLease(on, { requestId: randomUUID(), traceparent: TRACEPARENT, ...changes });
    const { principal, requestId } = lease;
    await leases.record(
      lease,
      requestId === undefined ? undefined : { principal, requestId, fingerprint: FINGERPRINT },
    );
    const held = active(lease);
    const objects = held.objects.map((object) => ({ ...object, uid: randomUUID() }));
    const whole = { ...held, objects, namespaceUid: randomUUID() };
    await leases.save(whole);
    return whole;
  }

  async function end(lease: Lease, as: EndedState = 'EXPIRED', endTime?: number): Promise<boolean> {
    const going = revoking(lease, as);
    return (await leases.save(going)) && leases.save(ended(going, endTime));
  }

  /** Keys of one kind, such as `lease` or `request`. */
  async function keysOf(kind: string): Promise<string[]> {
    const found: string[] = [];
    for await (const page of redis.scanStream({ match: keys.pattern.replace(/\*$/, `${kind}:*`), count: 1000 })) {
      found.push(...page);
    }
    return [...new Set(found)];
  }

  async function bytesOf(kind: string): Promise<number> {
    const sizes = (await keysOf(kind)).map((key) => redis.memory('USAGE', key, 'SAMPLES', 0));
    return (await Promise.all(sizes)).reduce<number>((sum, size) => sum + Number(size), 0);
  }

  return {
    leases,
    keys,
    config,
    issue,
    end,
    keysOf,
    bytesOf,
    addConfig: (changes: Partial<Config>) => storeConfig(redis, keys, changes),
  };
}

/** As long as the fingerprint of a request is. */
const FINGERPRINT = 'f'.repeat(43);

const TRACEPARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

async function storeConfig(redis: Redis, keys: Keys, changes: Partial<Config> = {}): Promise<Config> {
  const config = sampleConfig(changes.name ?? 'blue', changes);
  await redis.hset(keys.access(config.access.id), 'data', '', 'uses', 1);
  await redis.hset(keys.config(config.name), 'uid', config.uid, 'version', 1);
  return config;
}
