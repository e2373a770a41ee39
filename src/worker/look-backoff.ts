/** Where places come free, the next lease is looked at after this: such leases are worth waiting for. */
const FIRST_WAIT_MS = 2;
const LONGEST_WORTH_WAITING_MS = 64;

/** Where none comes free, after these. A look at a lease costs about half a millisecond of a core. */
const FIRST_PASSED_OVER_MS = 2 * LONGEST_WORTH_WAITING_MS;
const LONGEST_WAIT_MS = 2_000;

interface Wait {
  ms: number;
  until: number;
}

/**
 * How often leases are looked at whose kind finds no place: of each kind one, then after twice as long another, until
 * one finds a place. So thousands that hang cost a few looks a second, and those that move lose no time.
 */
export class LookBackoff {
  /** Forgotten when it has been over for a while. */
  readonly #waits = new Map<string, Wait>();
  #tidiedAt = 0;

  /**
   * How long to wait before a lease of that kind is looked at: 0 is now, and then it is the only one for a while.
   * undefined: it is not worth waiting for, and to be passed over.
   */
  waitFor(kind: string, now: number): number | undefined {
    const wait = this.#waits.get(kind);
    if (!wait) {
      return 0;
    }
    if (isOver(wait, now)) {
      const ms = Math.min(2 * wait.ms, LONGEST_WAIT_MS);
      this.#waits.set(kind, { ms, until: now + ms });
      return 0;
    }
    return wait.ms <= LONGEST_WORTH_WAITING_MS ? wait.until - now : undefined;
  }

  turnedAway(kind: string, now: number): void {
    this.#tidy(now);
    if (!this.#waits.has(kind)) {
      this.#waits.set(kind, { ms: FIRST_PASSED_OVER_MS, until: now + FIRST_PASSED_OVER_MS });
    }
  }

  foundPlace(kind: string, now: number): void {
    if (this.#waits.has(kind)) {
      this.#waits.set(kind, { ms: FIRST_WAIT_MS, until: now });
    }
  }

  #tidy(now: number): void {
    if (Math.abs(now - this.#tidiedAt) < LONGEST_WAIT_MS) {
      return;
    }
    this.#tidiedAt = now;
    for (const [kind, wait] of this.#waits) {
      if (isOver(wait, now - LONGEST_WAIT_MS)) {
        this.#waits.delete(kind);
      }
    }
  }
}

/** A clock that was put back must not keep leases away for as long as that. */
function isOver({ until }: Wait, now: number): boolean {
  return now >= until || until - now > 2 * LONGEST_WAIT_MS;
}
