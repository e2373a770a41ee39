import type { Way } from './way.ts';

/** About as long as it takes until a stream without a sign of life is ended. */
const SLOW_FOR_MS = 15_000;

/** Remembers which ways did not answer in time of late: they are tried last. */
export class SlowOnes {
  readonly #until = new Map<string, number>();

  note(name: string): void {
    this.#until.set(name, performance.now() + SLOW_FOR_MS);
  }

  last(ways: readonly Way[]): Way[] {
    const now = performance.now();
    for (const [name, until] of this.#until) {
      if (until < now) {
        this.#until.delete(name);
      }
    }
    return ways.toSorted((a, b) => Number(this.#until.has(a.name)) - Number(this.#until.has(b.name)));
  }
}
