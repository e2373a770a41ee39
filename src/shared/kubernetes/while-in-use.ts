/**
 * Values by key, each for as long as something else holds it: whoever asks for a key meanwhile gets the same one. It
 * keeps nothing itself, so it is as large as what is in use.
 */
export class WhileInUse<Value extends object> {
  readonly #held = new Map<string, WeakRef<Value>>();
  readonly #released = new FinalizationRegistry<string>((key) => {
    if (this.#held.get(key)?.deref() === undefined) {
      this.#held.delete(key);
    }
  });

  /** The value of `key`, made where none is in use. */
  of(key: string, make: () => Value): Value {
    const held = this.#held.get(key)?.deref();
    if (held) {
      return held;
    }
    const value = make();
    this.#held.set(key, new WeakRef(value));
    this.#released.register(value, key);
    return value;
  }

  *values(): Iterable<Value> {
    for (const held of this.#held.values()) {
      const value = held.deref();
      if (value) {
        yield value;
      }
    }
  }
}
