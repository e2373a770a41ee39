import { type Claim, Shares } from './shares.ts';

/** What `run` returns where it did not run the work. */
export const TURNED_AWAY = Symbol('turned away');

interface Waiting {
  claim: Claim;
  begin(): void;
}

/**
 * Shares the worker between clusters, their configs and the principals, so that calls that do not end hold up only
 * those of their own. Work that finds no place waits a little for one. The seats for waiting are shared by the same
 * rule, and where there is none, or no place comes free in time, the work is turned away, so that it does not hold up
 * what comes after it.
 */
export class Lanes {
  /** How much runs at once, and how much waits. */
  readonly places: number;
  readonly seats: number;
  readonly #places: Shares;
  readonly #seats: Shares;
  readonly #patienceMs: number;
  readonly #waiting = new Set<Waiting>();

  /** There are as many seats as places. `patienceMs`: how long work waits. */
  constructor(places: number, patienceMs: number) {
    this.places = places;
    this.seats = places;
    this.#places = new Shares(places);
    this.#seats = new Shares(places);
    this.#patienceMs = patienceMs;
  }

  /** Runs `work` for that claim, or returns TURNED_AWAY. */
  async run<T>(claim: Claim, work: () => Promise<T>): Promise<T | typeof TURNED_AWAY> {
    if (this.#places.hasRoomFor(claim)) {
      this.#places.take(claim);
    } else if (!(await this.#turn(claim))) {
      return TURNED_AWAY;
    }
    try {
      return await work();
    } finally {
      this.#places.release(claim);
      this.#beginNext();
    }
  }

  /** Waits for a place, which is taken then; false where none comes free in time. */
  #turn(claim: Claim): Promise<boolean> {
    if (!this.#seats.hasRoomFor(claim)) {
      return Promise.resolve(false);
    }
    this.#seats.take(claim);
    return new Promise((resolve) => {
      const settle = (isMine: boolean) => {
        clearTimeout(timer);
        this.#seats.release(claim);
        this.#waiting.delete(waiting);
        resolve(isMine);
      };
      const waiting = { claim, begin: () => settle(true) };
      const timer = setTimeout(() => settle(false), this.#patienceMs);
      this.#waiting.add(waiting);
    });
  }

  /** One place that comes free may make room for several: each bound depends on all that is held. */
  #beginNext(): void {
    for (let next = this.#next(); next; next = this.#next()) {
      this.#places.take(next.claim);
      next.begin();
    }
  }

  /** Who holds least is next, and who waits longest among those: each config gets its turn. */
  #next(): Waiting | undefined {
    let next: Waiting | undefined;
    for (const waiting of this.#waiting) {
      const isBefore = !next || this.#places.weight(waiting.claim) < this.#places.weight(next.claim);
      if (isBefore && this.#places.hasRoomFor(waiting.claim)) {
        next = waiting;
      }
    }
    return next;
  }
}
