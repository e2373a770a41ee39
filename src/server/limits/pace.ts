import { setImmediate as othersDone } from 'node:timers/promises';

/** For so long others wait at most. */
const SLICE_MS = 20;

/** Divides what keeps the process busy: others are served in between, and it ends after a time. */
export class Pace {
  readonly #end: number;
  #sliceEnd: number;

  constructor(maxMs: number) {
    const now = performance.now();
    this.#end = now + maxMs;
    this.#sliceEnd = now + SLICE_MS;
  }

  /** To be asked after each step. */
  async isOver(): Promise<boolean> {
    const now = performance.now();
    if (now < this.#sliceEnd) {
      return false;
    }
    await othersDone();
    this.#sliceEnd = performance.now() + SLICE_MS;
    return now >= this.#end;
  }
}
