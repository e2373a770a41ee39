import { createHash, timingSafeEqual } from 'node:crypto';

/**
 * A value that nobody may read by accident. Printed, logged, put in a template or in JSON, it shows `[redacted]`;
 * `reveal()` is the only way to the value, so every use of it can be found by that name.
 */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  reveal(): string {
    return this.#value;
  }

  /** In a time that does not tell how much of the two is the same. */
  equals(other: Secret): boolean {
    return timingSafeEqual(digest(this.#value), digest(other.#value));
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
function digest(value: string): Buffer {
  return createHash('sha256').update(value).digest();
}
