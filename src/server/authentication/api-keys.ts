import { timingSafeEqual } from 'node:crypto';
import { apiKeyHash, apiKeyName } from '../../shared/domain/api-key.ts';
import { Unauthenticated } from '../../shared/domain/errors.ts';
import type { Principal } from '../../shared/domain/principal.ts';
import type { Authenticator, Credentials } from './authenticator.ts';

/** What is known of an API key. Two keys of one name are the same caller: so one can take the place of the other. */
export interface ApiKeyEntry {
  name: string;
  /** SHA-256 of the whole text of the key. */
  hash: Buffer;
  groups: readonly string[];
  /** Milliseconds since the epoch; undefined: it does not expire. */
  expireTime: number | undefined;
}

/** Takes callers by static API keys: for the first steps, and for where nothing better is there. */
export class ApiKeys implements Authenticator {
  readonly #entries: readonly ApiKeyEntry[];

  constructor(entries: readonly ApiKeyEntry[]) {
    this.#entries = entries;
  }

  async authenticate({ bearer, now }: Credentials): Promise<Principal | undefined> {
    const name = bearer && apiKeyName(bearer);
    if (bearer === undefined || name === undefined) {
      return undefined;
    }
    const shown = apiKeyHash(bearer);
    // All of them, whatever its name: the time that it takes tells nothing.
    const [entry] = this.#entries.filter(({ hash }) => timingSafeEqual(hash, shown));
    if (entry?.name !== name) {
      throw new Unauthenticated(
        'CREDENTIALS_INVALID',
        'the API key is none that counts here: it was removed, or is not whole',
      );
    }
    if (entry.expireTime !== undefined && entry.expireTime <= now) {
      throw new Unauthenticated(
        'CREDENTIALS_EXPIRED',
        'the API key expired; make another with `npm run leasehold -- api-key create`',
      );
    }
    return { kind: 'api-key', id: name, issuer: 'leasehold', groups: entry.groups };
  }
}
