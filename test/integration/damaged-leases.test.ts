import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { Status } from 'nice-grpc-common';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { Keys } from '../../src/shared/redis/keys.ts';
import { makeTempFolder } from '../servers/temp-folder.ts';
import { connectTo } from '../support/leasehold.ts';
import { rejectionOf } from '../support/rejection.ts';
import { setUpStatic } from '../support/set-ups.ts';
import { makeTokenCallers } from '../support/token-callers.ts';
import { openWorld, type World } from '../support/world.ts';

// A lease whose record was cut off: it cannot be taken down, but must not keep the others from it.

const folder = await makeTempFolder('damaged-leases');
const { environment, as } = await makeTokenCallers(folder.path);
const nobody = await as('nobody');
const redis = new Redis(inject('redisUrl'));

let world: World;
let damagedId: string;
const wholeIds: string[] = [];
beforeAll(async () => {
  world = await openWorld(environment);
  const { config } = await setUpStatic(world, 'one', { revocable: true });
  await world.configs.createConfig({ config });
  const ids: string[] = [];
  for (let count = 0; count < 3; count++) {
    const { lease } = await world.leases.issueLease({ config: 'one' });
    ids.push(lease?.id ?? '');
  }
  const [first = '', second = '', third = ''] = ids;
  wholeIds.push(first, third);
  damagedId = second;
  const key = new Keys(world.settings.LEASEHOLD_INSTALLATION).lease(damagedId);
  await redis.hset(key, 'data', (await redis.hget(key, 'data'))?.slice(0, -40) ?? '');
});
afterAll(async () => {
  await redis.quit();
  await world.stop();
  await folder.remove();
});

test('it is refused by its name', async () => {
  const { leases } = world;
  const damaged = { code: Status.DATA_LOSS, reason: 'STORED_RECORD_DAMAGED' };
  expect(await rejectionOf(leases.getLease({ id: damagedId }))).toMatchObject(damaged);
  expect(await rejectionOf(leases.revokeLease({ id: damagedId }))).toMatchObject(damaged);
});

test('who may not see it is not told that it is there', async () => {
  const client = connectTo(world.address, {});
  const denied = await rejectionOf(client.leases.getLease({ id: damagedId }, nobody));
  expect(denied).toEqual(await rejectionOf(client.leases.getLease({ id: randomUUID() }, nobody)));
  expect(denied.code).toBe(Status.PERMISSION_DENIED);
  client.close();
});

test('lists hold the others', async () => {
  const { leases } = await world.leases.listLeases({});
  expect(leases.map(({ id }) => id).sort()).toEqual(wholeIds);
});

test('a batch revokes the others, and ends', async () => {
  const messages = await Array.fromAsync(world.leases.batchRevokeLeases({ target: { $case: 'config', value: 'one' } }));
  expect(messages.at(-1)).toMatchObject({ done: true, revokedCount: 2 });
});
