import type { Purpose } from '../ports/cluster.ts';
import { TurnQueue, type WaitingCall } from './turn-queue.ts';
import { type TurnClaim, TurnShares } from './turn-shares.ts';

/** Calls of one principal for one purpose that wait. More could not be made in time by a cluster that is that slow. */
const MAX_WAITING_OF_ONE = 256;

/** All that wait: a bound of memory. The longest line gives way where it is reached. */
const MAX_WAITING = 4_096;

/** So many turns after another go by precedence; the next is for a lesser purpose first, so that none starves. */
const TURNS_BY_PRECEDENCE = 15;

/** Which purpose that is, one after the other. Take-downs need no favor. */
const FAVORED: readonly Purpose[] = ['issue', 'question', 'trial'];

/** The call was not made: its turn did not come. */
export class NoTurn extends Error {}

/**
 * The turns of calls to one cluster, whoever makes them: so many at once, and the others wait. Take-downs come before
 * issues, these before questions, these before trials; among calls of one purpose principals take turns, and the
 * configs of each. Neither slow calls nor a long line of one caller keep another from its turn (TurnShares).
 */
export class FairTurns {
  readonly #shares: TurnShares;
  readonly #queue = new TurnQueue();
  #given = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(turns: number) {
    this.#shares = new TurnShares(turns);
  }

  /** Does `work` in its turn. Throws NoTurn where that does not come within `patienceMs`, or too many wait already. */
  async run<T>(claim: TurnClaim, patienceMs: number, work: () => Promise<T>): Promise<T> {
    // What waits meanwhile has no room: room that comes free is given away at once.
    if (this.#shares.hasRoom(claim)) {
      this.#shares.take(claim);
    } else {
      await this.#turn(claim, patienceMs);
    }
    try {
      return await work();
    } finally {
      this.#shares.giveBack(claim);
      this.#beginNext();
    }
  }

  #turn(claim: TurnClaim, patienceMs: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    if (this.#queue.lengthOf(claim) >= MAX_WAITING_OF_ONE) {
      throw new NoTurn(`${MAX_WAITING_OF_ONE} calls of the same caller wait for their turn already`);
    }
    const until = performance.now() + patienceMs;
    this.#queue.add({ claim, until, begin: resolve, refuse: (why) => reject(new NoTurn(why)) });
    if (this.#queue.size > MAX_WAITING) {
      this.#refuse(this.#queue.leastEntitled, `${MAX_WAITING} calls wait for their turn already`);
    }
    this.#timer ??= setTimeout(() => this.#endWaits(), patienceMs);
    return promise;
  }

  #beginNext(): void {
    let next = this.#takeNext();
    while (next) {
      this.#given += 1;
      this.#shares.take(next.claim);
      next.begin();
      next = this.#takeNext();
    }
    if (this.#queue.size === 0) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
    }
  }

  #takeNext(): WaitingCall | undefined {
    const round = (this.#given + 1) / (TURNS_BY_PRECEDENCE + 1);
    const favored = Number.isInteger(round) ? FAVORED[round % FAVORED.length] : undefined;
    return this.#queue.takeNext(this.#shares, favored);
  }

  /** One timer for all: calls are equally patient, so they give up in the order in which they came. */
  #endWaits(): void {
    const now = performance.now();
    let oldest = this.#queue.oldest;
    while (oldest && oldest.until <= now) {
      this.#refuse(oldest, 'its turn did not come in time');
      oldest = this.#queue.oldest;
    }
    this.#timer = oldest && setTimeout(() => this.#endWaits(), oldest.until - now);
  }

  #refuse(call: WaitingCall | undefined, why: string): void {
    if (call) {
      this.#queue.remove(call);
      call.refuse(why);
    }
  }
}
