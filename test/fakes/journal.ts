interface Write {
  key: string;
  undo: () => void;
}

/** What the fakes wrote, in order, so that the last writes can be lost: what a store does that comes back from a crash. */
export class Journal {
  /** Each is lost as a whole. */
  #scripts: Write[][] = [];
  #script: Write[] | undefined;

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

  /** What is written meanwhile is never lost in part: Redis keeps the writes of a script together (MULTI and EXEC). */
  inOneScript<T>(work: () => T): T {
    const script: Write[] = [];
    this.#script = script;
    try {
      return work();
    } finally {
      this.#script = undefined;
      if (script.length > 0) {
        this.#scripts.push(script);
      }
    }
  }

  /** Takes the last scripts back, the newest first. Returns the keys that they wrote. */
  loseLast(scripts: number): Set<string> {
    const lost = this.#scripts
      .splice(Math.max(0, this.#scripts.length - scripts))
      .flat()
      .reverse();
    for (const { undo } of lost) {
      undo();
    }
    return new Set(lost.map(({ key }) => key));
  }

  /** What was written so far cannot be lost any more. */
  commit(): void {
    this.#scripts = [];
  }

  #remember<V>(table: Map<string, V>, key: string): void {
    const before = table.get(key);
    const write = { key, undo: () => void (before === undefined ? table.delete(key) : table.set(key, before)) };
    if (this.#script) {
      this.#script.push(write);
    } else {
      this.#scripts.push([write]);
    }
  }
}
