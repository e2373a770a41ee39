import type { RedisClient } from './connect-redis.ts';
import type { Keys } from './keys.ts';

/**
 * The commands that server and worker give Redis, in scripts and out of them, BullMQ's among them. docs/redis.md has them
 * as a rule for ACL SETUSER.
 */
export const COMMANDS: readonly string[] = [
  ...['bzpopmin', 'del', 'eval', 'evalsha', 'exists', 'get', 'hdel', 'hexists', 'hget', 'hgetall', 'hincrby'],
  ...['hkeys', 'hlen', 'hmget', 'hmset', 'hset', 'hsetnx', 'incr', 'info', 'llen', 'lpush', 'lrange', 'lrem'],
  ...['ltrim', 'persist', 'pexpire', 'ping', 'pttl', 'rpoplpush', 'sadd', 'scard', 'set', 'smembers', 'srandmember'],
  ...['srem', 'sscan', 'time', 'unlink', 'xadd', 'xlen', 'xrange', 'xtrim', 'zadd', 'zcard', 'zpopmin', 'zrange'],
  ...['zrangebyscore', 'zrem', 'zremrangebyrank', 'zremrangebyscore', 'zrevrange', 'zrevrangebyscore', 'zscore'],
];

/** Besides, where replicas must acknowledge what is written (LEASEHOLD_REDIS_REPLICAS). */
const WITH_REPLICAS = 'wait';

/** They concern no key. */
const KEYLESS = new Set(['info', 'ping', 'time', 'wait']);

/** Redis knows these only where no script is running, so it cannot be asked about them. */
const NOT_ASKED = new Set(['eval', 'evalsha']);

/** ARGV: a command each, with more of one key of ours than it may take, so that each key among its arguments is ours. */
const LUA = `
  local missing = {}
  if not redis.acl_check_cmd then return missing end
  for _, command in ipairs(ARGV) do
    local words = {}
    for word in string.gmatch(command, '%S+') do words[#words + 1] = word end
    local known, allowed = pcall(redis.acl_check_cmd, unpack(words))
    if known and not allowed then missing[#missing + 1] = words[1] end
  end
  return missing`;

/**
 * The commands that the user of this connection may not give on our keys. Redis before 7.0 cannot be asked; there a missing
 * one is noticed when it is first needed.
 */
export async function findMissingPermissions(
  redis: RedisClient,
  keys: Keys,
  { replicas }: { replicas: number },
): Promise<string[]> {
  const key = keys.writeProbe;
  const needed = replicas > 0 ? [...COMMANDS, WITH_REPLICAS] : COMMANDS;
  const asked = needed
    .filter((command) => !NOT_ASKED.has(command))
    .map((command) => (KEYLESS.has(command) ? command : [command, key, key, key, key].join(' ')));
  return (await redis.eval(LUA, 1, key, ...asked)) as string[];
}
