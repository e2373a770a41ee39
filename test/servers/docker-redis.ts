import { randomBytes } from 'node:crypto';
import { RedisContainer } from '@testcontainers/redis';
import { DURABLE_REDIS_ARGS } from './redis-args.ts';
import type { RedisServer } from './redis-server.ts';

const IMAGE = 'redis:7.2-alpine';

/** Starts Redis in a container. It has a password, because Docker publishes its port on all addresses of the machine. */
export async function startDockerRedis(): Promise<RedisServer> {
  const password = randomBytes(16).toString('hex');
  const container = await new RedisContainer(IMAGE)
    .withCommand(['redis-server', ...DURABLE_REDIS_ARGS, '--requirepass', password])
    .start();
  return {
    url: `redis://:${password}@${container.getHost()}:${container.getPort()}`,
    async stop() {
      await container.stop();
    },
  };
}
