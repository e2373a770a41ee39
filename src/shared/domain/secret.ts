import { createHash, timingSafeEqual } from 'node:crypto';

/**
 * A value that nobody may read by accident. Printed, logged, put in a template or in JSON, it shows `[redacted]`;
 * `reveal()` is the only way to the value, so every use of it can be found by that name.
 */
export class Secret {
  /** No string: those stay in the heap, and in dumps of it, for as long as the collector likes. */
  readonly #bytes: Buffer;

  /** `value`: text, or its bytes in UTF-8. */
  constructor(value: string | Buffer) {
    this.#bytes = Buffer.from(value);
  }

  reveal(): string {
    return this.#bytes.toString();
  }

  /** In a time that does not tell how much of the two is the same. */
  equals(other: Secret): boolean {
    return timingSafeEqual(digest(this.#bytes), digest(other.#bytes));
  }

  toString(): string {
    return '[redacted]';
  }

  toJSON(): string {
    return '[redacted]';
  }

  /** What `console.log` and `util.inspect` print. */
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return '[redacted]';
  }
}

/** Of one length, which the comparison needs. */
function digest(value: Buffer): Buffer {
  return createHash('sha256').update(value).digest();
}
