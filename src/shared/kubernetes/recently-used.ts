/** Values by key, at most so many: the one that was used least recently is forgotten first. */
export class RecentlyUsed<Value> {
  readonly #max: number;
  /** In the order of last use. */
  readonly #kept = new Map<string, Value>();

  constructor(max: number) {
    this.#max = max;
  }

  /** The value of `key`, made where there is none. */
  use(key: string, make: () => Value): Value {
    const value = this.#kept.get(key) ?? make();
    this.#kept.delete(key);
    this.#kept.set(key, value);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > this.#max && oldest !== undefined) {
      this.#kept.delete(oldest);
    }
    return value;
  }
}
