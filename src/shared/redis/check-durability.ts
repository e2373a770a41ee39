import { Cluster, type Redis } from 'ioredis';
import type { RedisClient } from './connect-redis.ts';

/** What a master's INFO must say, and the setting of Redis that makes it so. */
const REQUIRED = [
  { field: 'maxmemory_policy', value: 'noeviction', setting: 'maxmemory-policy noeviction' },
  { field: 'aof_enabled', value: '1', setting: 'appendonly yes' },
];

/**
 * What is wrong with Redis as the only place where records are kept: one sentence for each setting that would lose
 * them, of each master. It may not evict, and must log its writes.
 */
export async function findVolatility(redis: RedisClient): Promise<string[]> {
  const masters = redis instanceof Cluster ? redis.nodes('master') : [redis];
  return (await Promise.all(masters.map((master) => volatilityOf(master, redis instanceof Cluster)))).flat();
}

async function volatilityOf(master: Redis, isOneOfMany: boolean): Promise<string[]> {
  const info = await master.info();
  const where = isOneOfMany ? ` at ${master.options.host}:${master.options.port}` : '';
  return REQUIRED.flatMap(({ field, value, setting }) => {
    const [, found = 'not told'] = new RegExp(`^${field}:(.*?)\\r?$`, 'm').exec(info) ?? [];
    return found === value ? [] : [`its ${field}${where} is ${found}: set "${setting}" in Redis`];
  });
}
