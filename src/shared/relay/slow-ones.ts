import type { Way } from './way.ts';

/** About as long as it takes until a stream without a sign of life is ended. */
const SLOW_FOR_MS = 15_000;

/** Remembers which ways did not answer in time of late: they are tried last. */
export class SlowOnes {
  readonly #until = new Map<string, number>();

  note({ name }: Way): void {
    this.#forget();
    this.#until.set(name, performance.now() + SLOW_FOR_MS);
  }

  has({ name }: Way): boolean {
    return (this.#until.get(name) ?? 0) > performance.now();
  }

  /** For sorting. */
  rank(way: Way): number {
    return this.has(way) ? 1 : 0;
  }

  #forget(): void {
    for (const [name, until] of this.#until) {
      if (until <= performance.now()) {
        this.#until.delete(name);
      }
    }
  }
}
