import { createChannel, createClient } from 'nice-grpc';
import { HealthDefinition } from 'nice-grpc-server-health';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { secureChannel } from '../support/security.ts';
import { openWorld, type World } from '../support/world.ts';

let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.stop());

test('the health service tells anybody that the server serves', async () => {
  const { credentials, options } = secureChannel({});
  const channel = createChannel(world.address, credentials, options);
  const { status } = await createClient(HealthDefinition, channel).check({ service: '' });
  channel.close();
  // grpc.health.v1.HealthCheckResponse.ServingStatus.SERVING
  expect(status).toBe(1);
});
