import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { DataLoss } from '../domain/errors.ts';
import type { KeyEncryption } from '../ports/key-encryption.ts';
import { rewrapEnvelope } from '../sealing/envelope.ts';
import type { RedisClient } from './connect-redis.ts';
import type { DamageReports } from './damage-reports.ts';
import type { Keys } from './keys.ts';
import { scanSet } from './scan-set.ts';
import { loadScript } from './script.ts';
import type { ScriptRunner } from './script-runner.ts';
import { placeOf, readSealedAccess, writeSealedAccess } from './sealed-access.ts';
import { storeCall } from './store-call.ts';

const leaveCheckScript = loadScript('leave-key-check');
const rewrapScript = loadScript('rewrap-access');

const CHECK_BYTES = 16;

/** What a run of the re-wrapping found and did. */
export interface Rewrapping {
  rewrapped: number;
  /** Accesses that are still under another key than the primary: they do not open, or changed at that moment. */
  left: number;
  /** Keys under which nothing is any more, since this run. One that is new, and not in use yet, is none of them. */
  freed: string[];
}

/** What became of an access: `left` does not open, or changed at that moment; `gone` expired since it was found. */
const Outcome = z.enum(['rewrapped', 'left', 'gone']);
type Outcome = z.infer<typeof Outcome>;

/** Knows which key-encryption keys the accesses in Redis are sealed under, and brings them under the primary. */
export class KeyCustody {
  readonly #redis: RedisClient;
  readonly #scripts: ScriptRunner;
  readonly #keys: Keys;
  readonly #damage: DamageReports;

  constructor(redis: RedisClient, scripts: ScriptRunner, keys: Keys, damage: DamageReports) {
    this.#redis = redis;
    this.#scripts = scripts;
    this.#keys = keys;
    this.#damage = damage;
  }

  /**
   * Throws an Error that says what is wrong where a key that is needed is not among those of `encryption`, or one is
   * another than the key that had its id before.
   */
  async check(encryption: KeyEncryption): Promise<void> {
    for (const keyId of await this.#knownKeys()) {
      const count = encryption.keyIds.includes(keyId) ? 0 : await this.#countAccessesUnder(keyId);
      if (count > 0) {
        throw new Error(
          `key ${JSON.stringify(keyId)} is missing: the accesses of ${count} configs, those of before among them, are ` +
            'sealed under it. Put it back until the worker has re-wrapped them under the primary',
        );
      }
    }
    for (const keyId of encryption.keyIds) {
      await this.#checkSame(encryption, keyId);
    }
    // Only now: a keyring that is refused may still come with another new key.
    await this.#leaveCheck(encryption);
    await this.#checkSame(encryption, encryption.primary);
  }

  /** Brings all accesses under the primary of `encryption`; each can be read all the while. Throws Unavailable. */
  async rewrap(encryption: KeyEncryption): Promise<Rewrapping> {
    const run: Rewrapping = { rewrapped: 0, left: 0, freed: [] };
    const { primary } = encryption;
    // A failover may have lost it since the start.
    await this.#leaveCheck(encryption);
    for (const keyId of (await this.#knownKeys()).filter((known) => known !== primary)) {
      const { rewrapped, left } = await this.#rewrapUnder(encryption, keyId);
      run.rewrapped += rewrapped;
      run.left += left;
      if (rewrapped > 0 && left === 0) {
        run.freed.push(keyId);
      }
    }
    return run;
  }

  async #rewrapUnder(encryption: KeyEncryption, keyId: string): Promise<Pick<Rewrapping, 'rewrapped' | 'left'>> {
    // A member that the pages show twice is counted once.
    const outcomes = new Map<string, Outcome>();
    for await (const ids of this.#accessesUnder(keyId)) {
      const unseen = ids.filter((id) => !outcomes.has(id));
      const ends = await Promise.all(unseen.map((id) => this.#rewrapOne(encryption, keyId, id)));
      unseen.forEach((id, index) => void outcomes.set(id, ends[index] ?? 'left'));
    }
    const count = (wanted: Outcome) => [...outcomes.values()].filter((outcome) => outcome === wanted).length;
    return { rewrapped: count('rewrapped'), left: count('left') };
  }

  async #rewrapOne(encryption: KeyEncryption, keyId: string, id: string): Promise<Outcome> {
    const data = await storeCall(() => this.#redis.hget(this.#keys.access(id), 'data'));
    if (data === null) {
      return 'gone';
    }
    try {
      const { configUid, envelope } = readSealedAccess(data);
      const rewrapped = await rewrapEnvelope(encryption, envelope, placeOf(configUid, id));
      const answer = await rewrapScript(
        this.#scripts,
        [this.#keys.access(id), this.#keys.accessesUnder(keyId), this.#keys.accessesUnder(rewrapped.wrappedKey.keyId)],
        [id, data, writeSealedAccess(configUid, rewrapped)],
      );
      return Outcome.parse(answer);
    } catch (error) {
      if (!(error instanceof DataLoss)) {
        throw error;
      }
      this.#damage.damaged(`access ${id}`, new DataLoss(error.reason, `access ${id}: ${error.message}`, error));
      return 'left';
    }
  }

  #knownKeys(): Promise<string[]> {
    return storeCall(() => this.#redis.hkeys(this.#keys.keyChecks));
  }

  async #countAccessesUnder(keyId: string): Promise<number> {
    const found = new Set<string>();
    for await (const ids of this.#accessesUnder(keyId)) {
      ids.forEach((id) => void found.add(id));
    }
    return found.size;
  }

  /**
   * Those that are still there, page after page. An access that expires stays in its set until the next one is kept.
   */
  async *#accessesUnder(keyId: string): AsyncGenerator<string[]> {
    const set = this.#keys.accessesUnder(keyId);
    for await (const ids of scanSet(this.#redis, set)) {
      const areThere = await Promise.all(ids.map((id) => storeCall(() => this.#redis.exists(this.#keys.access(id)))));
      const gone = ids.filter((_, index) => areThere[index] === 0);
      if (gone.length > 0) {
        await storeCall(() => this.#redis.srem(set, ...gone));
      }
      yield ids.filter((_, index) => areThere[index] !== 0);
    }
  }

  /** Before anything is sealed under the primary, and no less durable than that: a key without a check is not looked for. */
  async #leaveCheck(encryption: KeyEncryption): Promise<void> {
    const { primary } = encryption;
    if (await storeCall(() => this.#redis.hexists(this.#keys.keyChecks, primary))) {
      return;
    }
    const { keyId, bytes } = await encryption.wrap(randomBytes(CHECK_BYTES), checkPlaceOf(primary));
    await leaveCheckScript(this.#scripts, [this.#keys.keyChecks], [keyId, bytes.toString('base64')]);
  }

  async #checkSame(encryption: KeyEncryption, keyId: string): Promise<void> {
    const check = await storeCall(() => this.#redis.hget(this.#keys.keyChecks, keyId));
    if (check === null) {
      // Nothing was ever sealed under it.
      return;
    }
    try {
      await encryption.unwrap({ keyId, bytes: Buffer.from(check, 'base64') }, checkPlaceOf(keyId));
    } catch (error) {
      throw new Error(
        `key ${JSON.stringify(keyId)} is wrong: it is another than the key of that id under which the accesses of configs ` +
          'are sealed in this Redis. A new key needs an id of its own, beside the old one',
        { cause: error },
      );
    }
  }
}

function checkPlaceOf(keyId: string): string {
  return JSON.stringify(['leasehold/key-check/v1', keyId]);
}
