import { Status } from 'nice-grpc';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { rejectionOf } from '../support/rejection.ts';
import { directAccess, setUpDynamic } from '../support/set-ups.ts';
import { openWorld, type World } from '../support/world.ts';

// The lease tests of this project go through a gateway because there is no other way.

let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.stop());

test('the server cannot reach the API server itself; through the gateway it can', async () => {
  const { config, requester } = await setUpDynamic(world, 'dynamic');
  const access = directAccess(world.inConfig, requester.token);
  expect(await rejectionOf(world.configs.createConfig({ config: { ...config, access } }))).toMatchObject({
    code: Status.UNAVAILABLE,
    reason: 'CLUSTER_UNREACHABLE',
  });
  await world.configs.createConfig({ config });
});
