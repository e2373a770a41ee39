import { hkdfSync, type KeyObject } from 'node:crypto';
import { Secret } from '../domain/secret.ts';

const BYTES = 32;

/** A secret of its own for one purpose, which all who have `key` can make, and nobody else (RFC 5869). In base64url. */
export function deriveSecret(key: KeyObject, purpose: string): Secret {
  return new Secret(Buffer.from(hkdfSync('sha256', key, '', purpose, BYTES)).toString('base64url'));
}
