import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Redis } from 'ioredis';
import { storeCall } from './store-call.ts';

type Script = (redis: Redis, keys: string[], args: (string | number)[]) => Promise<unknown>;

/** A Lua script of the folder `scripts`, as a function. Redis runs it whole or not at all, and keeps it by its hash. */
export function loadScript(name: string): Script {
  const lua = readFileSync(new URL(`./scripts/${name}.lua`, import.meta.url), 'utf8');
  const sha1 = createHash('sha1').update(lua).digest('hex');
  return (redis, keys, args) =>
    storeCall(async () => {
      try {
        return await redis.evalsha(sha1, keys.length, ...keys, ...args);
      } catch (error) {
        if (!(error as Error).message.startsWith('NOSCRIPT')) {
          throw error;
        }
        return redis.eval(lua, keys.length, ...keys, ...args);
      }
    });
}
