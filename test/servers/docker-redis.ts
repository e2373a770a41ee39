import { RedisContainer } from '@testcontainers/redis';
import { DURABLE_REDIS_ARGS } from './redis-args.ts';
import type { RedisServer } from './redis-server.ts';

const IMAGE = 'redis:7.2-alpine';

/** Starts Redis in a container. */
export async function startDockerRedis(): Promise<RedisServer> {
  const container = await new RedisContainer(IMAGE).withCommand(['redis-server', ...DURABLE_REDIS_ARGS]).start();
  return {
    url: container.getConnectionUrl(),
    async stop() {
      await container.stop();
    },
  };
}
