import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { afterAll, expect, inject, test } from 'vitest';
import { DamageReports } from '../../src/shared/redis/damage-reports.ts';
import { Keys } from '../../src/shared/redis/keys.ts';
import { RedisLeaseStore } from '../../src/shared/redis/redis-lease-store.ts';
import { PlainScripts } from '../../src/shared/redis/script-runner.ts';
import { GENEROUS } from '../contract/stores.ts';

const redis = new Redis(inject('redisUrl'));
afterAll(() => redis.quit());

const noDamage = new DamageReports(() => undefined);

const HOUR_MS = 3_600_000;

test('a clock of Redis that is put back, or that of a failover, keeps no caller waiting for the time before', async () => {
  const keys = new Keys(`rate-${randomUUID().slice(0, 8)}`);
  const limits = { ...GENEROUS, issueRate: 2 };
  const leases = new RedisLeaseStore(redis, new PlainScripts(redis), keys, { retentionMs: HOUR_MS, limits }, noDamage);
  await leases.admitRenewal('caller');
  const filledUntil = Number(await redis.get(keys.issueRate('caller')));
  await redis.set(keys.issueRate('caller'), filledUntil + HOUR_MS * 1000, 'PX', HOUR_MS);

  await leases.admitRenewal('caller');
  await leases.admitRenewal('caller');
  const more = await Promise.allSettled(Array.from({ length: 100 }, () => leases.admitRenewal('caller')));
  const refusals = more.filter((outcome) => outcome.status === 'rejected').map(({ reason }) => reason);
  expect(refusals[0]).toMatchObject({ reason: 'ISSUE_RATE_EXCEEDED' });
  expect(await redis.pttl(keys.issueRate('caller'))).toBeLessThanOrEqual(1000);
});
