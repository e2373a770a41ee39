import { createCipheriv, createDecipheriv, type KeyObject, randomBytes } from 'node:crypto';

const ALGORITHM = 'aes-256-gcm';
/** 96 random bits, as NIST SP 800-38D (8.2.2) asks for; safe for 2^32 seals under one key. */
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** Seals bytes with one key, each to the place where they belong. */
export class Seal {
  readonly #key: KeyObject;

  /** `key`: 32 bytes. */
  constructor(key: KeyObject) {
    this.#key = key;
  }

  /** `place` names where the sealed bytes are kept: moved elsewhere they do not open. Returns nonce, ciphertext and tag. */
  seal(plain: Buffer, place: string): Buffer {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(ALGORITHM, this.#key, nonce, { authTagLength: TAG_BYTES }).setAAD(Buffer.from(place));
    return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  }

  /** Throws where the bytes were changed, moved, or sealed with another key. */
  open(sealed: Buffer, place: string): Buffer {
    if (sealed.length < NONCE_BYTES + TAG_BYTES) {
      throw new Error('it is too short to be sealed');
    }
    const decipher = createDecipheriv(ALGORITHM, this.#key, sealed.subarray(0, NONCE_BYTES), {
      authTagLength: TAG_BYTES,
    })
      .setAAD(Buffer.from(place))
      .setAuthTag(sealed.subarray(-TAG_BYTES));
    return Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]);
  }
}
