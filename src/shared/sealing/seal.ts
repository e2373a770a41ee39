import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { Secret } from '../domain/secret.ts';

const ALGORITHM = 'aes-256-gcm';
/** 96 random bits, as NIST SP 800-38D (8.2.2) asks for; safe for 2^32 seals under one key. */
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** Seals secrets for the store with one key, each to the place where it belongs. */
export class Seal {
  readonly #key: Buffer;

  /** `key`: 32 bytes. */
  constructor(key: Buffer) {
    this.#key = key;
  }

  /** `place` names where the sealed text is kept: moved elsewhere it does not open. Returns base64 of nonce, text and tag. */
  seal(secret: Secret, place: string): string {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(ALGORITHM, this.#key, nonce, { authTagLength: TAG_BYTES }).setAAD(Buffer.from(place));
    const text = Buffer.concat([cipher.update(secret.reveal(), 'utf8'), cipher.final()]);
    return Buffer.concat([nonce, text, cipher.getAuthTag()]).toString('base64');
  }

  /** Throws where the text was changed, moved, or sealed with another key. */
  open(sealed: string, place: string): Secret {
    const bytes = Buffer.from(sealed, 'base64');
    const nonce = bytes.subarray(0, NONCE_BYTES);
    const text = bytes.subarray(NONCE_BYTES, -TAG_BYTES);
    const decipher = createDecipheriv(ALGORITHM, this.#key, nonce, { authTagLength: TAG_BYTES })
      .setAAD(Buffer.from(place))
      .setAuthTag(bytes.subarray(-TAG_BYTES));
    try {
      return new Secret(decipher.update(text, undefined, 'utf8') + decipher.final('utf8'));
    } catch (error) {
      throw new Error(
        `${place} does not open with this key: LEASEHOLD_SEAL_KEY is another, or the record was changed`,
        {
          cause: error,
        },
      );
    }
  }
}
