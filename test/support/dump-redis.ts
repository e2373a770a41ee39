import { Redis } from 'ioredis';

/** How to read a value of each type whole. DUMP may compress it: that alone would hide what it holds. */
const READ: Record<string, (key: string) => [command: string, ...args: string[]]> = {
  string: (key) => ['get', key],
  hash: (key) => ['hgetall', key],
  list: (key) => ['lrange', key, '0', '-1'],
  set: (key) => ['smembers', key],
  zset: (key) => ['zrange', key, '0', '-1'],
  stream: (key) => ['xrange', key, '-', '+'],
};

/** Everything that a Redis holds under names that match: keys and values of every type, as text. */
export async function dumpRedis(url: string, match = '*'): Promise<string> {
  const { text } = await dumpRedisKeys(url, match);
  return text;
}

/** The same, and how many keys there are. */
export async function dumpRedisKeys(url: string, match = '*'): Promise<{ keys: number; text: string }> {
  const redis = new Redis(url);
  const parts: string[] = [];
  let keys = 0;
  for await (const found of redis.scanStream({ match, count: 1000 })) {
    keys += found.length;
    parts.push(...found, JSON.stringify(await readAll(redis, found)));
  }
  await redis.quit();
  return { keys, text: parts.join('\n') };
}

async function readAll(redis: Redis, keys: readonly string[]): Promise<unknown[]> {
  const types = await inOnePipeline(
    redis,
    keys.map((key) => ['type', key]),
  );
  return inOnePipeline(
    redis,
    keys.flatMap((key, index) => {
      const read = READ[String(types[index])];
      // A type of none: the key went away in between.
      return read === undefined ? [] : [read(key)];
    }),
  );
}

async function inOnePipeline(redis: Redis, commands: string[][]): Promise<unknown[]> {
  const results = (await redis.pipeline(commands).exec()) ?? [];
  return results.map(([error, value]) => {
    if (error) {
      throw error;
    }
    return value;
  });
}
