import { errors, type JWTVerifyGetKey } from 'jose';
import { Unavailable } from '../../shared/domain/errors.ts';
import { isAddressNotAllowed } from '../../shared/kubernetes/egress/egress-guard.ts';
import type { Logger } from '../../shared/telemetry/logger.ts';
import { notAllowed } from './https-json.ts';
import { type KeySet, parseKeys } from './key-set.ts';

/** How soon a key that the issuer has taken out of its set does not count any more. */
const FETCH_EVERY_MS = 60_000;

/** Between fetches because of keys that are not in the set: nobody has us ask more often by sending tokens. */
const ASK_AGAIN_MS = 5_000;

/**
 * How long the keys count while the issuer cannot be reached. Its callers get no new tokens then, and few have tokens that
 * live longer.
 */
const KEPT_MS = 3_600_000;

/** The keys that an issuer publishes: fetched at once, every minute, and where a token names one that is not there. */
export class RemoteKeySet implements KeySet {
  readonly #issuer: string;
  readonly #fetchJwks: () => Promise<unknown>;
  readonly #log: Logger;
  readonly #clock: () => number;
  readonly #timer: NodeJS.Timeout;
  #keys: JWTVerifyGetKey | undefined;
  #keysAt = 0;
  #askedAt = Number.NEGATIVE_INFINITY;
  #fetching: Promise<void> | undefined;
  #isFailing = false;
  #isNotAllowed = false;

  /** `issuer` is for messages. `clock`: milliseconds, monotonic. */
  constructor(issuer: string, fetchJwks: () => Promise<unknown>, log: Logger, clock = () => performance.now()) {
    this.#issuer = issuer;
    this.#fetchJwks = fetchJwks;
    this.#log = log;
    this.#clock = clock;
    this.#timer = setInterval(() => void this.fetch(), FETCH_EVERY_MS).unref();
  }

  readonly keyOf: JWTVerifyGetKey = async (header, token) => {
    if (!this.#present()) {
      await this.#fetchUnlessJustAsked();
    }
    try {
      return await this.#require()(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) {
        throw error;
      }
      await this.#fetchUnlessJustAsked();
      return this.#require()(header, token);
    }
  };

  /** Never rejects; a failure leaves the keys as they are, and is logged once. */
  fetch(): Promise<void> {
    this.#askedAt = this.#clock();
    this.#fetching ??= this.#fetch().finally(() => {
      this.#fetching = undefined;
    });
    return this.#fetching;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #fetch(): Promise<void> {
    try {
      this.#keys = parseKeys(await this.#fetchJwks());
      this.#keysAt = this.#clock();
      if (this.#isFailing) {
        this.#log.info({ issuer: this.#issuer }, 'the keys of an issuer are fetched again');
      }
      this.#isFailing = false;
      this.#isNotAllowed = false;
    } catch (error) {
      this.#isNotAllowed = isAddressNotAllowed(error);
      if (!this.#isFailing) {
        this.#log.warn(
          { issuer: this.#issuer, err: error },
          this.#isNotAllowed
            ? 'the keys of an issuer cannot be fetched: the server may not call its address'
            : 'the keys of an issuer cannot be fetched; will try again',
        );
      }
      this.#isFailing = true;
    }
  }

  async #fetchUnlessJustAsked(): Promise<void> {
    if (this.#fetching) {
      await this.#fetching;
    } else if (this.#clock() - this.#askedAt >= ASK_AGAIN_MS) {
      await this.fetch();
    }
  }

  #present(): JWTVerifyGetKey | undefined {
    return this.#clock() - this.#keysAt < KEPT_MS ? this.#keys : undefined;
  }

  #require(): JWTVerifyGetKey {
    const keys = this.#present();
    if (!keys) {
      const problem = this.#isNotAllowed
        ? notAllowed('the issuer of this token')
        : 'the keys of the issuer of this token cannot be fetched at present';
      throw new Unavailable('ISSUER_UNREACHABLE', problem);
    }
    return keys;
  }
}
