import { createSecretKey, randomBytes, randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { afterAll, expect, inject, test } from 'vitest';
import { type DataLoss, Unavailable } from '../../src/shared/domain/errors.ts';
import type { KeyEncryption } from '../../src/shared/ports/key-encryption.ts';
import { DamageReports } from '../../src/shared/redis/damage-reports.ts';
import { KeyCustody } from '../../src/shared/redis/key-custody.ts';
import { Keys } from '../../src/shared/redis/keys.ts';
import { RedisAccesses } from '../../src/shared/redis/redis-accesses.ts';
import { PlainScripts, type ScriptRunner } from '../../src/shared/redis/script-runner.ts';
import { Keyring } from '../../src/shared/sealing/keyring.ts';
import { sampleConfig } from '../contract/samples.ts';

const redis = new Redis(inject('redisUrl'));
afterAll(() => redis.quit());

/** Accesses are looked at in pages of 100. */
const MORE_THAN_A_PAGE = 101;

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

test('a key is not used before its check is where a failover keeps it', async () => {
  const notKept = new Unavailable('STORE_UNAVAILABLE', 'the store did not confirm the write');
  const { keys, custody } = openCustody({ run: () => Promise.reject(notKept) });
  const k1 = newKey();
  await expect(custody.check(keyring('k1', { k1 }))).rejects.toBe(notKept);

  // Nothing is written for one that has its check: replicas may be away at a start.
  const keeping = new KeyCustody(redis, new PlainScripts(redis), keys, new DamageReports(() => undefined));
  await keeping.check(keyring('k1', { k1 }));
  await custody.check(keyring('k1', { k1 }));
});

test('a key whose check was lost is looked for again after the next run of the re-wrapping', async () => {
  const { keys, custody, accessesBy } = openCustody();
  const k1 = keyring('k1', { k1: newKey() });
  await custody.check(k1);
  await accessesBy(k1).keep(sampleConfig('blue').access);
  await redis.del(keys.keyChecks);
  await custody.rewrap(k1);
  await expect(custody.check(keyring('k2', { k2: newKey() }))).rejects.toThrow('key "k1" is missing');
});

test('accesses that expire while others are re-wrapped are no damage, and do not keep their key', async () => {
  const { keys, told, custody, accessesBy } = openCustody();
  const [k1, k2] = [newKey(), newKey()];
  await custody.check(keyring('k1', { k1 }));
  const configs = Array.from({ length: MORE_THAN_A_PAGE }, (_, index) => sampleConfig(`config-${index}`));
  await Promise.all(configs.map(({ access }) => accessesBy(keyring('k1', { k1 })).keep(access)));

  const next = keyring('k2', { k1, k2 });
  await custody.check(next);
  const rewrapping = custody.rewrap(
    beforeUnwrapping(next, async () => {
      const ids = await redis.smembers(keys.accessesUnder('k1'));
      await redis.del(ids.slice(-1).map((id) => keys.access(id)));
    }),
  );
  expect(await rewrapping).toEqual({ rewrapped: MORE_THAN_A_PAGE - 1, left: 0, freed: ['k1'] });
  expect(told).toEqual([]);
});

/** `happens` before the first key is unwrapped. */
function beforeUnwrapping(encryption: Keyring, happens: () => Promise<void>): KeyEncryption {
  let happened: Promise<void> | undefined;
  return {
    keyIds: encryption.keyIds,
    primary: encryption.primary,
    wrap: (dataKey, context) => encryption.wrap(dataKey, context),
    async unwrap(wrapped, context) {
      happened ??= happens();
      await happened;
      return encryption.unwrap(wrapped, context);
    },
  };
}
