import type { RenewalNotes } from '../ports/renewal-notes.ts';
import type { RedisClient } from './connect-redis.ts';
import type { Keys } from './keys.ts';
import { storeCall } from './store-call.ts';

/** Longer than it takes until the next try. */
const KEPT_MS = 24 * 60 * 60 * 1000;

/** Notes of failed renewals in Redis, a key for each access. */
export class RedisRenewalNotes implements RenewalNotes {
  readonly #redis: RedisClient;
  readonly #keys: Keys;

  constructor(redis: RedisClient, keys: Keys) {
    this.#redis = redis;
    this.#keys = keys;
  }

  async errorOf(accessId: string): Promise<string> {
    return (await storeCall(() => this.#redis.get(this.#keys.renewalError(accessId)))) ?? '';
  }

  async note(accessId: string, error: string): Promise<boolean> {
    const key = this.#keys.renewalError(accessId);
    return (await storeCall(() => this.#redis.set(key, error, 'PX', KEPT_MS, 'GET'))) !== null;
  }
}
