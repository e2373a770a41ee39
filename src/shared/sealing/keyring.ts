import type { KeyObject } from 'node:crypto';
import { DataLoss } from '../domain/errors.ts';
import type { Secret } from '../domain/secret.ts';
import type { KeyEncryption, WrappedKey } from '../ports/key-encryption.ts';
import { deriveSecret } from './derive-secret.ts';
import type { KeyringContent } from './parse-keyring.ts';
import { Seal } from './seal.ts';

/** Key-encryption keys that this process itself holds. */
export class Keyring implements KeyEncryption {
  #content: KeyringContent;

  constructor(content: KeyringContent) {
    this.#content = content;
  }

  get keyIds(): readonly string[] {
    return [...this.#content.keys.keys()];
  }

  get primary(): string {
    return this.#content.primary;
  }

  /** From here on it has these keys. */
  replace(content: KeyringContent): void {
    this.#content = content;
  }

  async wrap(dataKey: Buffer, context: string): Promise<WrappedKey> {
    const keyId = this.primary;
    return { keyId, bytes: new Seal(this.#key(keyId)).seal(dataKey, placeOf(keyId, context)) };
  }

  async unwrap({ keyId, bytes }: WrappedKey, context: string): Promise<Buffer> {
    const seal = new Seal(this.#key(keyId));
    try {
      return seal.open(bytes, placeOf(keyId, context));
    } catch (error) {
      throw new DataLoss(
        'STORED_SECRET_DAMAGED',
        `its data key does not open with key ${JSON.stringify(keyId)}: it was changed or moved, or the key is another`,
        { cause: error },
      );
    }
  }

  /** A secret for one purpose, which all processes with this primary make alike. */
  derive(purpose: string): Secret {
    return deriveSecret(this.#key(this.primary), purpose);
  }

  /** The same of every key: what others may have derived whose primary is another, in the midst of a rotation. */
  deriveAll(purpose: string): Secret[] {
    return [...this.#content.keys.values()].map((key) => deriveSecret(key, purpose));
  }

  #key(id: string): KeyObject {
    const key = this.#content.keys.get(id);
    if (!key) {
      throw new DataLoss('STORED_SECRET_DAMAGED', `it is sealed under key ${JSON.stringify(id)}, which is not there`);
    }
    return key;
  }
}

function placeOf(keyId: string, context: string): string {
  return JSON.stringify([keyId, context]);
}
