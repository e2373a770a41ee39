import { Unavailable } from '../domain/errors.ts';
import type { RedisClient } from './connect-redis.ts';
import type { ScriptRunner } from './script-runner.ts';

/** How long replicas may take to acknowledge; below the least deadline of a command (LEASEHOLD_REDIS_TIMEOUT). */
const ACKNOWLEDGED_WITHIN_MS = 1_000;

interface Call extends PromiseWithResolvers<unknown> {
  lua: string;
  keys: string[];
  args: (string | number)[];
}

/**
 * A script counts once that many replicas have what it wrote, so that a failover to one of them keeps it. Where they
 * do not acknowledge in time, the call fails, though its write may stay. Calls that come while others are under way go
 * together, behind one WAIT: it holds up the whole connection, which therefore belongs to these scripts alone.
 */
export class AcknowledgedScripts implements ScriptRunner {
  readonly #redis: RedisClient;
  readonly #replicas: number;
  #next: Call[] = [];
  #isSending = false;

  constructor(redis: RedisClient, replicas: number) {
    this.#redis = redis;
    this.#replicas = replicas;
  }

  run(lua: string, keys: string[], args: (string | number)[]): Promise<unknown> {
    const call = { ...Promise.withResolvers<unknown>(), lua, keys, args };
    this.#next.push(call);
    if (!this.#isSending) {
      void this.#sendAll();
    }
    return call.promise;
  }

  async #sendAll(): Promise<void> {
    this.#isSending = true;
    while (this.#next.length > 0) {
      const calls = this.#next.splice(0);
      try {
        await this.#send(calls);
      } catch (error) {
        for (const call of calls) {
          call.reject(error);
        }
      }
    }
    this.#isSending = false;
  }

  /** One pipeline, so that WAIT follows the writes on their own connection: on another one it would know of none. */
  async #send(calls: readonly Call[]): Promise<void> {
    const pipeline = this.#redis.pipeline();
    for (const { lua, keys, args } of calls) {
      // Whole, because what a failover made the master may not know it by its hash.
      pipeline.eval(lua, keys.length, ...keys, ...args);
    }
    pipeline.wait(this.#replicas, ACKNOWLEDGED_WITHIN_MS);
    const results = (await pipeline.exec()) ?? [];
    const notKept = this.#complaintAbout(results[calls.length]);
    for (const [index, call] of calls.entries()) {
      const [error, value] = results[index] ?? [new Error('Redis gave no answer to a script'), undefined];
      if (error ?? notKept) {
        call.reject(error ?? notKept);
      } else {
        call.resolve(value);
      }
    }
  }

  #complaintAbout(wait: [error: Error | null, result: unknown] | undefined): Error | undefined {
    const [error, acknowledged] = wait ?? [new Error('Redis gave no answer to WAIT'), 0];
    if (!error && Number(acknowledged) >= this.#replicas) {
      return undefined;
    }
    const count = error ? 'too few' : Number(acknowledged);
    return new Unavailable(
      'STORE_UNAVAILABLE',
      `the store did not confirm the write: ${count} of ${this.#replicas} replicas have it`,
      { cause: error },
    );
  }
}
