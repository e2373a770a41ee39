import { LeaseholdError, ResourceExhausted, Unavailable } from '../domain/errors.ts';
import type { MemoryUse } from './memory-use.ts';

/** How often Redis is asked. What is written in between is counted here. */
const MEASURE_EVERY_MS = 500;

/** Percentage points below the mark at which the store may grow again, so that it does not flap. */
const RESUME_BELOW = 2;

/** Room comes with the ends of leases, or with an operator: neither is a matter of milliseconds. */
const RETRY_MS = 10_000;

/**
 * What a write is for. `new`: what makes more work. `repair`: what leases may need to be taken down, such as another
 * token of their cluster or another agent of their gateway: it may take half of what is above the mark, and no more,
 * since it grows the store as well.
 */
export type GrowthUse = 'new' | 'repair';

export interface MemoryRoomOptions {
  /** Percentage of the limit from which on nothing may grow: what is used, and what take-downs may need besides. */
  highWater: number;
  measure(): Promise<MemoryUse>;
  onMeasured(use: MemoryUse, isAlmostFull: boolean): void;
  /** Told once when the mark is reached, and once when there is room again. */
  onAlmostFull(use: MemoryUse): void;
  onRoomAgain(use: MemoryUse): void;
  /**
   * Told where Redis could not be asked; until it can be, what is written is counted on top of the last measurement.
   */
  onError(error: Error): void;
}

/**
 * Room in Redis for what makes the store grow. Redis answers OOM to a take-down just as to an issue. So memory for the
 * take-down of each live lease is reserved, and what is above a high-water mark is kept for the rest that must go on:
 * writes that grow the store ask here first.
 */
export class MemoryRoom {
  readonly #options: MemoryRoomOptions;
  #use: MemoryUse = { used: 0, reserved: 0, limit: undefined };
  #isAlmostFull = false;
  /** Since the last measurement: Redis stays just below the mark where all that would pass it is refused here. */
  #hasRefused = false;
  /** Bytes of writes that the last measurement may have missed, and of those among them that have returned since. */
  #unmeasured = 0;
  #landed = 0;
  #timer: NodeJS.Timeout | undefined;

  private constructor(options: MemoryRoomOptions) {
    this.#options = options;
  }

  /** Measures once before it returns. Where Redis cannot be asked, that is logged, and the start goes on. */
  static async open(options: MemoryRoomOptions): Promise<MemoryRoom> {
    const room = new MemoryRoom(options);
    await room.#measure();
    // One that is slow to answer is asked again only after its answer.
    let asking = false;
    room.#timer = setInterval(async () => {
      if (!asking) {
        asking = true;
        await room.#measure();
        asking = false;
      }
    }, MEASURE_EVERY_MS).unref();
    return room;
  }

  /** Whether Redis has no limit that is known: then it cannot be seen to fill up. */
  get isUnlimited(): boolean {
    return this.#use.limit === undefined;
  }

  /**
   * Runs a write that makes the store grow by about so many bytes. Throws ResourceExhausted instead where there is no room.
   * One that wrote nothing, which `hasWritten` tells of its result, does not count: whoever is refused again and again must
   * not look like a store that fills up.
   */
  async grow<T>(
    bytes: number,
    write: () => Promise<T>,
    use: GrowthUse,
    hasWritten: (result: T) => boolean = () => true,
  ): Promise<T> {
    if (!this.#hasRoom(bytes, use)) {
      this.#hasRefused ||= use === 'new';
      throw new ResourceExhausted(
        'STORE_ALMOST_FULL',
        'the store is almost full: nothing new is issued or stored until leases end, or an operator makes room ' +
          '(docs/redis.md); revocations, renewals and reads go on',
        { subject: 'store', retryAfterMs: RETRY_MS },
      );
    }
    this.#unmeasured += bytes;
    let isWritten = true;
    try {
      const result = await write();
      isWritten = hasWritten(result);
      return result;
    } catch (error) {
      isWritten = !isRefused(error);
      throw error;
    } finally {
      if (isWritten) {
        this.#landed += bytes;
      } else {
        this.#unmeasured -= bytes;
      }
    }
  }

  #hasRoom(bytes: number, use: GrowthUse): boolean {
    const { used, reserved, limit } = this.#use;
    const then = used + reserved + this.#unmeasured + bytes;
    if (use === 'repair') {
      const halfOfTheRest = (100 - this.#options.highWater) / 2;
      return limit === undefined || then < this.#share(limit, -halfOfTheRest);
    }
    return !this.#isAlmostFull && (limit === undefined || then < this.#share(limit, 0));
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #measure(): Promise<void> {
    // What had returned before Redis was asked is in its answer.
    const included = this.#landed;
    try {
      this.#use = await this.#options.measure();
    } catch (error) {
      this.#options.onError(error as Error);
      return;
    }
    this.#landed -= included;
    this.#unmeasured -= included;
    this.#judge(this.#use);
  }

  #judge(use: MemoryUse): void {
    const { used, reserved, limit } = use;
    const wasAlmostFull = this.#isAlmostFull;
    const pointsBelow = wasAlmostFull || this.#hasRefused ? RESUME_BELOW : 0;
    this.#hasRefused = false;
    this.#isAlmostFull = limit !== undefined && used + reserved >= this.#share(limit, pointsBelow);
    this.#options.onMeasured(use, this.#isAlmostFull);
    if (this.#isAlmostFull && !wasAlmostFull) {
      this.#options.onAlmostFull(use);
    } else if (wasAlmostFull && !this.#isAlmostFull) {
      this.#options.onRoomAgain(use);
    }
  }

  #share(limit: number, pointsBelow: number): number {
    return (limit * (this.#options.highWater - pointsBelow)) / 100;
  }
}

/** The store said no. Of an answer that is lost nobody knows. */
function isRefused(error: unknown): boolean {
  return error instanceof LeaseholdError && !(error instanceof Unavailable);
}
