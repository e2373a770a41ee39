import { createHash } from 'node:crypto';
import type { RedisClient } from './connect-redis.ts';

/** Runs Lua scripts in Redis. */
export interface ScriptRunner {
  run(lua: string, keys: string[], args: (string | number)[]): Promise<unknown>;
}

/** A script counts as soon as the server has run it. Redis keeps it, and is asked for it by its hash. */
export class PlainScripts implements ScriptRunner {
  readonly #redis: RedisClient;
  readonly #hashes = new Map<string, string>();

  constructor(redis: RedisClient) {
    this.#redis = redis;
  }

  async run(lua: string, keys: string[], args: (string | number)[]): Promise<unknown> {
    try {
      return await this.#redis.evalsha(this.#hashOf(lua), keys.length, ...keys, ...args);
    } catch (error) {
      if (!(error as Error).message.startsWith('NOSCRIPT')) {
        throw error;
      }
      return this.#redis.eval(lua, keys.length, ...keys, ...args);
    }
  }

  #hashOf(lua: string): string {
    const hash = this.#hashes.get(lua) ?? createHash('sha1').update(lua).digest('hex');
    this.#hashes.set(lua, hash);
    return hash;
  }
}

/** Has another runner run them, and says what became of those that failed. */
export class HeardScripts implements ScriptRunner {
  readonly #runner: ScriptRunner;
  readonly #onError: (error: unknown) => void;

  constructor(runner: ScriptRunner, onError: (error: unknown) => void) {
    this.#runner = runner;
    this.#onError = onError;
  }

  async run(lua: string, keys: string[], args: (string | number)[]): Promise<unknown> {
    try {
      return await this.#runner.run(lua, keys, args);
    } catch (error) {
      this.#onError(error);
      throw error;
    }
  }
}
