import { afterAll, beforeAll, expect, test } from 'vitest';
import { type NativeRedis, startNativeRedis } from '../servers/native-redis.ts';
import { ensureRedisBinary } from '../servers/redis-binary.ts';
import { connectTo, leaseholdEnvironment } from '../support/leasehold.ts';
import { spawnLeasehold } from '../support/leasehold-process.ts';

// A Redis that may lose records is no store for them.

let redis: NativeRedis;
beforeAll(async () => {
  const args = ['--appendonly', 'no', '--maxmemory-policy', 'allkeys-lru'];
  redis = await startNativeRedis(await ensureRedisBinary(), () => undefined, args);
});
afterAll(() => redis?.stop());

test.each(['server', 'worker'] as const)('the %s refuses it, and says what to set', async (role) => {
  const refusing = spawnLeasehold(role, leaseholdEnvironment(redis.url));

  expect(await refusing.exited).toBe(1);
  const said = JSON.stringify(refusing.logs);
  expect(said).toContain('its maxmemory_policy is allkeys-lru: set \\"maxmemory-policy noeviction\\" in Redis');
  expect(said).toContain('its aof_enabled is 0: set \\"appendonly yes\\" in Redis');
  expect(said).toContain('LEASEHOLD_ALLOW_VOLATILE_REDIS=true');
});

test('LEASEHOLD_ALLOW_VOLATILE_REDIS=true puts up with it, with a warning', async () => {
  const server = spawnLeasehold('server', leaseholdEnvironment(redis.url, { LEASEHOLD_ALLOW_VOLATILE_REDIS: 'true' }));

  expect(await server.logged('Redis may lose the records')).toMatchObject({ level: 40 });
  const { address = '' } = await server.logged('serving');
  const client = connectTo(address);
  expect(await client.configs.listConfigs({})).toMatchObject({ configs: [] });
  client.close();
  expect(await server.stop()).toBe(0);
});
