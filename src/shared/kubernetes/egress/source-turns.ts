interface TurnLimits {
  /** Pieces of work at the same time. */
  atOnce: number;
  /** Of one source. */
  atOnceEach: number;
  /** Pieces of work that wait. */
  waiting: number;
}

/** Too much waits already: the work was not begun. */
export class TooManyWaiting extends Error {}

interface Waiting {
  start(): void;
  refuse(): void;
}

interface Source {
  running: number;
  /** The oldest first. */
  waiting: Waiting[];
}

/**
 * Does a bounded amount of work at a time, in turn by source: one source that wants much waits for itself. Where all
 * places to wait are taken, a source that waits less gets the last place of the one that waits most. Memory is bounded
 * by `atOnce` and `waiting`, however many sources there are.
 */
export class SourceTurns {
  readonly #limits: TurnLimits;
  /** Those with work, in the order of their turns. */
  readonly #sources = new Map<string, Source>();
  #running = 0;
  #waiting = 0;

  constructor(limits: TurnLimits) {
    this.#limits = limits;
  }

  /** Rejects with TooManyWaiting where there is no place for it. */
  take<T>(name: string, work: () => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const source = this.#sources.get(name) ?? { running: 0, waiting: [] };
      const entry = {
        start: () =>
          void work()
            .then(resolve, reject)
            .finally(() => this.#ended(name, source)),
        refuse: () => reject(new TooManyWaiting('too much waits already')),
      };
      if (this.#mayStart(source)) {
        this.#start(name, source, entry);
      } else if (this.#makeRoomFor(source)) {
        source.waiting.push(entry);
        this.#waiting += 1;
        this.#sources.set(name, source);
      } else {
        entry.refuse();
      }
    });
  }

  #mayStart({ running }: Source): boolean {
    return this.#running < this.#limits.atOnce && running < this.#limits.atOnceEach;
  }

  #start(name: string, source: Source, entry: Waiting): void {
    this.#running += 1;
    source.running += 1;
    // Its next turn comes after those of the others.
    this.#sources.delete(name);
    this.#sources.set(name, source);
    entry.start();
  }

  #ended(name: string, source: Source): void {
    this.#running -= 1;
    source.running -= 1;
    if (source.running === 0 && source.waiting.length === 0) {
      this.#sources.delete(name);
    }
    for (const [next, waiting] of this.#sources) {
      const entry = this.#mayStart(waiting) ? waiting.waiting.shift() : undefined;
      if (entry) {
        this.#waiting -= 1;
        this.#start(next, waiting, entry);
        return;
      }
    }
  }

  #makeRoomFor({ waiting }: Source): boolean {
    if (this.#waiting < this.#limits.waiting) {
      return true;
    }
    const [longest] = [...this.#sources.values()].sort((one, other) => other.waiting.length - one.waiting.length);
    if (!longest || longest.waiting.length <= waiting.length + 1) {
      return false;
    }
    longest.waiting.pop()?.refuse();
    this.#waiting -= 1;
    return true;
  }
}
