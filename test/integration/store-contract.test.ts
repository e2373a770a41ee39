import { createSecretKey, randomBytes, randomUUID } from 'node:crypto';
import { afterAll, describe, inject } from 'vitest';
import type { LeaseLimits } from '../../src/shared/domain/lease-limits.ts';
import { DEFAULT_QUOTAS } from '../../src/shared/domain/quotas.ts';
import { BullmqAlarm } from '../../src/shared/queue/bullmq-alarm.ts';
import { BATCH_QUEUE, EXPIRY_QUEUE } from '../../src/shared/queue/queues.ts';
import { RedisConnections } from '../../src/shared/redis/connect-redis.ts';
import { DamageReports } from '../../src/shared/redis/damage-reports.ts';
import { Keys } from '../../src/shared/redis/keys.ts';
import { RedisAccesses } from '../../src/shared/redis/redis-accesses.ts';
import { RedisBatchStore } from '../../src/shared/redis/redis-batch-store.ts';
import { RedisCallBudgets } from '../../src/shared/redis/redis-call-budgets.ts';
import { RedisConfigStore } from '../../src/shared/redis/redis-config-store.ts';
import { RedisGatewayLinks } from '../../src/shared/redis/redis-gateway-links.ts';
import { RedisGatewayStore } from '../../src/shared/redis/redis-gateway-store.ts';
import { RedisLeaseStore } from '../../src/shared/redis/redis-lease-store.ts';
import { RedisRenewalNotes } from '../../src/shared/redis/redis-renewal-notes.ts';
import { RedisUrl } from '../../src/shared/redis/redis-url.ts';
import { PlainScripts } from '../../src/shared/redis/script-runner.ts';
import { Keyring } from '../../src/shared/sealing/keyring.ts';
import { describeAlarm } from '../contract/alarm.ts';
import { describeBatchStore } from '../contract/batch-store.ts';
import { describeCallBudgets } from '../contract/call-budgets.ts';
import { describeConfigStore } from '../contract/config-store.ts';
import { describeGatewayLinks } from '../contract/gateway-links.ts';
import { describeGatewayStore } from '../contract/gateway-store.ts';
import { describeLeaseHistory } from '../contract/lease-history.ts';
import { describeLeaseLimits } from '../contract/lease-limits.ts';
import { describeLeaseStore } from '../contract/lease-store.ts';
import { describeQuotas } from '../contract/quotas.ts';
import { describeRenewalNotes } from '../contract/renewal-notes.ts';
import { describeRequestMemory } from '../contract/request-memory.ts';
import { GENEROUS, type Stores } from '../contract/stores.ts';
import { PATIENT_REDIS_MS } from '../support/patience.ts';

// The contract of the stores and the alarm clock, on a real Redis; test/unit/fakes.test.ts runs it on their fakes.

const connections = new RedisConnections(RedisUrl.parse(inject('redisUrl')), PATIENT_REDIS_MS, (error) => {
  throw error;
});
const redis = await connections.open('calls');
const queueRedis = await connections.open('queue');
const scripts = new PlainScripts(redis);
const alarms: BullmqAlarm[] = [];

afterAll(async () => {
  await Promise.all(alarms.map((alarm) => alarm.close()));
  connections.closeAll();
});

function freshKeys(): Keys {
  return new Keys(`contract-${randomUUID().slice(0, 8)}`);
}

function noReports(): DamageReports {
  return new DamageReports(() => undefined);
}

describe('RedisLeaseStore and RedisConfigStore', () => {
  describeLeaseStore(openStores);
  describeRequestMemory(openStores);
  describeLeaseHistory(openStores);
  describeLeaseLimits(openStores);
  describeConfigStore(openStores);
});

function openStores(
  retentionMs: number,
  limits: LeaseLimits,
  { keys = freshKeys(), quotas = DEFAULT_QUOTAS } = {},
): Stores {
  const keyring = new Keyring({ primary: 'k', keys: new Map([['k', createSecretKey(randomBytes(32))]]) });
  const damage = noReports();
  return {
    leases: new RedisLeaseStore(redis, scripts, keys, { retentionMs, limits }, damage),
    configs: new RedisConfigStore(
      redis,
      scripts,
      keys,
      new RedisAccesses(redis, scripts, keys, keyring, damage, quotas),
      damage,
      quotas,
    ),
    async accessGoesIn(id) {
      const ms = await redis.pttl(keys.access(id));
      return ms < 0 ? undefined : ms;
    },
  };
}

describe('quotas of the stores in Redis', () => {
  describeQuotas((quotas) => {
    const keys = freshKeys();
    return {
      ...openStores(0, GENEROUS, { keys, quotas }),
      gateways: new RedisGatewayStore(redis, scripts, keys, noReports(), quotas),
      links: new RedisGatewayLinks(redis, scripts, keys, quotas),
      batches: new RedisBatchStore(redis, scripts, keys, quotas),
    };
  });
});

describe('RedisBatchStore', () => describeBatchStore(() => new RedisBatchStore(redis, scripts, freshKeys())));

describe('RedisCallBudgets', () => describeCallBudgets((rates) => new RedisCallBudgets(scripts, freshKeys(), rates)));

describe('RedisGatewayStore', () =>
  describeGatewayStore(() => new RedisGatewayStore(redis, scripts, freshKeys(), noReports())));

describe('RedisGatewayLinks', () => {
  describeGatewayLinks(() => {
    const keys = freshKeys();
    return {
      store: new RedisGatewayStore(redis, scripts, keys, noReports()),
      links: new RedisGatewayLinks(redis, scripts, keys),
    };
  });
});

describe('RedisRenewalNotes', () => describeRenewalNotes(() => new RedisRenewalNotes(redis, freshKeys())));

describe('BullmqAlarm', () => {
  describeAlarm(() => {
    const prefix = freshKeys().queuePrefix;
    const alarm = new BullmqAlarm({ connection: queueRedis, prefix }, Date.now, (error) => {
      throw error;
    });
    alarms.push(alarm);
    return { alarm, ringsAt: (lease) => ringsAt(prefix, lease), batchWakings: (batch) => wakings(prefix, batch) };
  });
});

/** BullMQ keeps a delayed job by its time in ms, shifted by 12 bits for the order of those of one ms. */
async function ringsAt(prefix: string, leaseId: string): Promise<number | undefined> {
  const score = await redis.zscore(`${prefix}:${EXPIRY_QUEUE}:delayed`, leaseId);
  if (score !== null) {
    return Math.floor(Number(score) / 4096);
  }
  const waiting = await redis.lrange(`${prefix}:${EXPIRY_QUEUE}:wait`, 0, -1);
  return waiting.includes(leaseId) ? 0 : undefined;
}

async function wakings(prefix: string, batchId: string): Promise<number> {
  const waiting = await redis.lrange(`${prefix}:${BATCH_QUEUE}:wait`, 0, -1);
  return waiting.filter((id) => id === batchId).length;
}
