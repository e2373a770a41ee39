import { LONGEST_PUT_OFF_MS } from '../shared/leases/sweep.ts';

/**
 * To look at a lease and turn it away again costs about half a millisecond of a core: so many a second cost a quarter.
 */
const RETURNS_PER_SECOND = 500;

/** The first that was turned away comes back after this. */
const SOONEST_MS = 500;

/**
 * When work that was turned away comes back: one after the other, so that many leases that are due at once are not
 * looked at again and again, all of them, before any of others. Those who have work turned away share the looks evenly.
 */
export class ReturnTimes {
  /** When the last work of each comes back. Forgotten when that has passed. */
  readonly #lastOf = new Map<string, number>();
  readonly #random: () => number;
  #tidiedAt = 0;

  /** `random`: 0 to 1. */
  constructor(random: () => number) {
    this.#random = random;
  }

  /** How long from `now` until the next work of `whose` comes back, in ms. */
  next(whose: string, now: number): number {
    this.#tidy(now);
    const soonest = now + SOONEST_MS;
    const latest = now + LONGEST_PUT_OFF_MS;
    const last = this.#lastOf.get(whose);
    const gapMs = (1000 / RETURNS_PER_SECOND) * (this.#lastOf.size + (last === undefined ? 1 : 0));
    // A clock that was put back must not keep work away for as long as that.
    const at = Math.max(soonest, Math.min(last ?? 0, latest) + gapMs);
    if (at > latest) {
      return LONGEST_PUT_OFF_MS * (0.5 + this.#random() / 2);
    }
    this.#lastOf.set(whose, at);
    return at - now;
  }

  /** Once in a while: what has passed is of no use, and must not count as one who wants a share. */
  #tidy(now: number): void {
    if (Math.abs(now - this.#tidiedAt) < SOONEST_MS) {
      return;
    }
    this.#tidiedAt = now;
    for (const [whose, at] of this.#lastOf) {
      if (at <= now || at > now + LONGEST_PUT_OFF_MS) {
        this.#lastOf.delete(whose);
      }
    }
  }
}
