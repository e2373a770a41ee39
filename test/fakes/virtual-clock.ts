interface Timer {
  at: number;
  fire: () => void;
}

/** Something outside the clock that happens at a time of its own. */
export interface Happening {
  /** On the wall clock; undefined: never. */
  nextAt(): number | undefined;
  happen(): void;
}

/**
 * A clock that stands still until it is told to go on. What sleeps is woken in order, and has come to rest before time
 * goes further. The wall clock may jump; sleeps do not notice, as with real timers.
 */
export class VirtualClock {
  #elapsed = 0;
  #offset: number;
  #setBack = 0;
  readonly #timers: Timer[] = [];

  /** `start`: milliseconds since the epoch. */
  constructor(start: number) {
    this.#offset = start;
  }

  /** The wall clock. */
  now = (): number => this.#elapsed + this.#offset;

  sleep = (ms: number, signal?: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
      this.after(ms, resolve);
    });

  /** Time that has really passed. */
  get elapsed(): number {
    return this.#elapsed;
  }

  after(ms: number, fire: () => void): void {
    const timer = { at: this.#elapsed + Math.max(0, ms), fire };
    const later = this.#timers.findLastIndex(({ at }) => at <= timer.at);
    this.#timers.splice(later + 1, 0, timer);
  }

  /** By how much the wall clock was set back, in all. */
  get setBack(): number {
    return this.#setBack;
  }

  jump(ms: number): void {
    this.#offset += ms;
    this.#setBack += Math.max(0, -ms);
  }

  /** Lets so much time pass, with all that happens in it. */
  async advance(ms: number, happening?: Happening): Promise<void> {
    const until = this.#elapsed + ms;
    await atRest();
    for (;;) {
      const timer = this.#timers[0]?.at ?? Number.POSITIVE_INFINITY;
      const outside = Math.max(this.#elapsed, (happening?.nextAt() ?? Number.POSITIVE_INFINITY) - this.#offset);
      const next = Math.min(timer, outside);
      if (next > until) {
        break;
      }
      this.#elapsed = next;
      if (timer <= outside) {
        this.#timers.shift()?.fire();
      } else {
        happening?.happen();
      }
      await atRest();
    }
    this.#elapsed = until;
  }
}

/** All promises that can go on have gone on: Node runs microtasks before the next round of its loop. */
function atRest(): Promise<void> {
  return new Promise(setImmediate);
}
