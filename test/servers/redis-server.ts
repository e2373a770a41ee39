import type { StartOptions } from './control-plane.ts';
import { findOnPath } from './find-on-path.ts';
import { type NativeRedis, startNativeRedis } from './native-redis.ts';
import { ensureRedisBinary } from './redis-binary.ts';
import { dockerAnswers, requirePackages } from './source.ts';

export interface RedisServer {
  url: string;
  stop(): Promise<void>;
}

/** Starts a real Redis as the queue needs it (AOF, noeviction): from PATH, else in Docker, else from its package. */
export async function startRedisServer({ progress = ignore }: StartOptions = {}): Promise<RedisServer> {
  const onPath = findOnPath('redis-server');
  if (onPath !== undefined) {
    return startNativeRedis(onPath, progress);
  }
  if (await dockerAnswers()) {
    progress('starting Redis in Docker');
    const { startDockerRedis } = await import('./docker-redis.ts');
    return startDockerRedis();
  }
  requirePackages('Redis', 'redis-server on PATH');
  return startRestartableRedis({ progress });
}

/** The same as a process of this machine, never in Docker: for tests that kill it and start it again. */
export async function startRestartableRedis({ progress = ignore }: StartOptions = {}): Promise<NativeRedis> {
  return startNativeRedis(await ensureRedisBinary(progress), progress);
}

function ignore(): void {}
