/** A data key, wrapped. */
export interface WrappedKey {
  /** Of the key-encryption key under which it is. */
  keyId: string;
  bytes: Buffer;
}

/** Wraps data keys under key-encryption keys that it does not give away: those of a keyring, or of a KMS. */
export interface KeyEncryption {
  /** Ids of all keys that it has. They may change at any time, as may `primary`. */
  readonly keyIds: readonly string[];
  /** The key under which data keys are wrapped from now on: one of `keyIds`. */
  readonly primary: string;
  /** Wraps a data key under the primary. It unwraps with the same `context` only. */
  wrap(dataKey: Buffer, context: string): Promise<WrappedKey>;
  /** Throws DataLoss where there is no key of that id, and where it does not open with it in this context. */
  unwrap(wrapped: WrappedKey, context: string): Promise<Buffer>;
}
