import { Redis } from 'ioredis';

/** A command that takes longer fails: a caller is better told than kept. */
const COMMAND_TIMEOUT_MS = 2_000;

/** A connection that fails fast while Redis is away, and comes back by itself. */
export function connectRedis(url: string): Redis {
  return new Redis(url, {
    enableOfflineQueue: false,
    enableAutoPipelining: true,
    maxRetriesPerRequest: 0,
    commandTimeout: COMMAND_TIMEOUT_MS,
    lazyConnect: true,
  });
}
