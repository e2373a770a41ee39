/** What the fakes wrote, in order, so that the last writes can be lost: what a store does that comes back from a crash. */
export class Journal {
  readonly #undos: { key: string; undo: () => void }[] = [];

  set<V>(table: Map<string, V>, key: string, value: V): void {
    this.#remember(table, key);
    table.set(key, value);
  }

  delete<V>(table: Map<string, V>, key: string): void {
    if (table.has(key)) {
      this.#remember(table, key);
      table.delete(key);
    }
  }

  /** Takes the last writes back, the newest first. Returns the keys that they were of. */
  loseLast(writes: number): Set<string> {
    const lost = this.#undos.splice(Math.max(0, this.#undos.length - writes)).reverse();
    for (const { undo } of lost) {
      undo();
    }
    return new Set(lost.map(({ key }) => key));
  }

  /** What was written so far cannot be lost any more. */
  commit(): void {
    this.#undos.length = 0;
  }

  #remember<V>(table: Map<string, V>, key: string): void {
    const before = table.get(key);
    this.#undos.push({ key, undo: () => (before === undefined ? table.delete(key) : table.set(key, before)) });
  }
}
