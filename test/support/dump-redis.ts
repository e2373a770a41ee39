import { Redis } from 'ioredis';

/** Everything that a Redis holds under names that match: keys and values of every type, as text. */
export async function dumpRedis(url: string, match = '*'): Promise<string> {
  const redis = new Redis(url);
  const parts: string[] = [];
  for await (const keys of redis.scanStream({ match })) {
    for (const key of keys as string[]) {
      parts.push(
        key,
        (await redis.dumpBuffer(key))?.toString('latin1') ?? '',
        JSON.stringify(await readable(redis, key)),
      );
    }
  }
  await redis.quit();
  return parts.join('\n');
}

/** DUMP may compress: the values themselves as well. */
async function readable(redis: Redis, key: string): Promise<unknown> {
  switch (await redis.type(key)) {
    case 'string':
      return redis.get(key);
    case 'hash':
      return redis.hgetall(key);
    case 'list':
      return redis.lrange(key, 0, -1);
    case 'set':
      return redis.smembers(key);
    case 'zset':
      return redis.zrange(key, 0, '-1');
    case 'stream':
      return redis.xrange(key, '-', '+');
    default:
      return undefined;
  }
}
