import { createHash, randomBytes } from 'node:crypto';
import { Secret } from './secret.ts';

// The text of an API key is `leasehold_<name>_<256 random bits in base64url>`: whoever finds one sees what it is, and
// scanners for secrets do too. Names are DNS labels, which have no underscore.

const API_KEY = /^leasehold_([-a-z0-9]{1,63})_[A-Za-z0-9_-]{43}$/;

/** Makes a new key of that name. */
export function makeApiKey(name: string): Secret {
  return new Secret(`leasehold_${name}_${randomBytes(32).toString('base64url')}`);
}

/** The name that a key says; undefined: it is no API key. */
export function apiKeyName(key: Secret): string | undefined {
  return API_KEY.exec(key.reveal())?.[1];
}

/** All that is kept of a key, 32 bytes. Nobody guesses 256 random bits, so there is no need for a slow hash. */
export function apiKeyHash(key: Secret): Buffer {
  return createHash('sha256').update(key.reveal()).digest();
}
