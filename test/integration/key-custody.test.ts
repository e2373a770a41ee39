import { createSecretKey, randomBytes, randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { afterAll, expect, inject, test } from 'vitest';
import type { DataLoss } from '../../src/shared/domain/errors.ts';
import { Unavailable } from '../../src/shared/domain/errors.ts';
import { DamageReports } from '../../src/shared/redis/damage-reports.ts';
import { KeyCustody } from '../../src/shared/redis/key-custody.ts';
import { Keys } from '../../src/shared/redis/keys.ts';
import { RedisAccesses } from '../../src/shared/redis/redis-accesses.ts';
import { PlainScripts, type ScriptRunner } from '../../src/shared/redis/script-runner.ts';
import { Keyring } from '../../src/shared/sealing/keyring.ts';
import { sampleConfig } from '../contract/samples.ts';

const redis = new Redis(inject('redisUrl'));
afterAll(() => redis.quit());

const newKey = () => createSecretKey(randomBytes(32));
const keyring = (primary: string, keys: Record<string, ReturnType<typeof newKey>>) =>
  new Keyring({ primary, keys: new Map(Object.entries(keys)) });

function openCustody(scripts: ScriptRunner = new PlainScripts(redis)) {
  const keys = new Keys(`custody-${randomUUID().slice(0, 8)}`);
  const told: DataLoss[] = [];
  const damage = new DamageReports((error) => told.push(error));
  return {
    keys,
    told,
    custody: new KeyCustody(redis, scripts, keys, damage),
    accessesBy: (encryption: Keyring) => new RedisAccesses(redis, scripts, keys, encryption, damage),
  };
}

test('a keyring that is refused leaves nothing behind: its new key may still be another', async () => {
  const { custody } = openCustody();
  const k1 = newKey();
  await custody.check(keyring('k1', { k1 }));
  await expect(custody.check(keyring('k2', { k1: newKey(), k2: newKey() }))).rejects.toThrow('key "k1" is wrong');
  await custody.check(keyring('k2', { k1, k2: newKey() }));
});
