import { z } from 'zod';
import type { Keys } from './keys.ts';
import { loadScript } from './script.ts';
import type { ScriptRunner } from './script-runner.ts';

const timeScript = loadScript('time');

/** TIME of Redis: seconds, and microseconds besides. */
const TimeAnswer = z.tuple([z.coerce.number(), z.coerce.number()]);

/** How often the time of Redis is asked for. Between two times a clock that never jumps goes on from the last one. */
const MEASURE_EVERY_MS = 5_000;

/** One question may be held up on its way; of several, the one that took least time tells most. */
const PROBES = 5;

/** Clocks that differ by less are taken for the same: nothing is said of them. */
const NOTICEABLE_MS = 5_000;

/** Redis' clock is taken to have jumped where it differs by more from what it was going to say. */
const JUMP_MS = 1_000;

export interface RedisClockOptions {
  /** Asks Redis for its time. Milliseconds since the epoch. */
  ask(): Promise<number>;
  /** Told after each measurement. `ownAheadMs`: how far the clock of this process is ahead. */
  onMeasured(ownAheadMs: number): void;
  /** Told once when the clock of this process is noticeably off, and once when it is right again. */
  onOwnOff(ownAheadMs: number): void;
  onOwnRight(): void;
  /** Told when Redis' own clock was set, or another Redis took over whose clock differs. */
  onJump(byMs: number): void;
  /** Told when Redis could not be asked; the last time goes on meanwhile. */
  onError(error: Error): void;
}

/**
 * The time of Redis, which all processes of an installation share: by it leases end. The wall clock of this process plays no
 * part, so whether it is off, or jumps, does not matter.
 */
export class RedisClock {
  readonly #options: RedisClockOptions;
  /** Redis' time at the zero of the monotonic clock, and by how much it may be wrong. */
  #base = { atZero: 0, uncertaintyMs: Number.POSITIVE_INFINITY };
  #timer: NodeJS.Timeout | undefined;
  #isOff = false;

  private constructor(options: RedisClockOptions) {
    this.#options = options;
  }

  /** Rejects where Redis does not tell its time now. */
  static async open(options: RedisClockOptions): Promise<RedisClock> {
    const clock = new RedisClock(options);
    await clock.#measure();
    clock.#timer = setInterval(() => void clock.#measure().catch(options.onError), MEASURE_EVERY_MS).unref();
    return clock;
  }

  /** Milliseconds since the epoch. */
  now(): number {
    return Math.round(this.#base.atZero + performance.now());
  }

  /** How far the clock of this process is ahead of Redis'. */
  get ownAheadMs(): number {
    return Date.now() - this.now();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #measure(): Promise<void> {
    let best = await this.#probe();
    for (let probes = 1; probes < PROBES; probes++) {
      const further = await this.#probe();
      best = further.uncertaintyMs < best.uncertaintyMs ? further : best;
    }
    this.#adopt(best);
    const ownAheadMs = this.ownAheadMs;
    this.#options.onMeasured(ownAheadMs);
    this.#tell(ownAheadMs);
  }

  async #probe(): Promise<{ atZero: number; uncertaintyMs: number }> {
    const sentAt = performance.now();
    const time = await this.#options.ask();
    const receivedAt = performance.now();
    return { atZero: time - (sentAt + receivedAt) / 2, uncertaintyMs: (receivedAt - sentAt) / 2 };
  }

  /** What agrees with the present time, as far as can be told, changes nothing: time does not tremble with each measurement. */
  #adopt(measured: { atZero: number; uncertaintyMs: number }): void {
    const differenceMs = measured.atZero - this.#base.atZero;
    const isFirst = this.#base.uncertaintyMs === Number.POSITIVE_INFINITY;
    if (!isFirst && Math.abs(differenceMs) <= measured.uncertaintyMs + 1) {
      return;
    }
    this.#base = measured;
    if (!isFirst && Math.abs(differenceMs) > JUMP_MS + measured.uncertaintyMs) {
      this.#options.onJump(Math.round(differenceMs));
    }
  }

  #tell(ownAheadMs: number): void {
    const isOff = Math.abs(ownAheadMs) > NOTICEABLE_MS;
    if (isOff !== this.#isOff) {
      this.#isOff = isOff;
      if (isOff) {
        this.#options.onOwnOff(ownAheadMs);
      } else {
        this.#options.onOwnRight();
      }
    }
  }
}

/** The time of the Redis that holds the records. Milliseconds since the epoch. */
export async function askTime(scripts: ScriptRunner, keys: Keys): Promise<number> {
  const [seconds, micros] = TimeAnswer.parse(await timeScript(scripts, [keys.due], []));
  return seconds * 1000 + micros / 1000;
}
