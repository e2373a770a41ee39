import { setTimeout as sleep } from 'node:timers/promises';
import { Unavailable } from '../domain/errors.ts';
import { answerIn, type Refusal, refusalIn } from './refusal.ts';
import { isPassing } from './store-call.ts';

/** How often a Redis that refuses writes is asked whether it takes them again. */
const PROBE_MS = 500;

/** A Redis at the edge of its memory goes to and fro: it is not told more often than this. */
const TELL_EVERY_MS = 60_000;

export interface WriteGateOptions {
  /** A small write, which fails as long as others would. */
  probe(): Promise<unknown>;
  /** Told once when writes begin to be refused. */
  onRefused(refusal: Refusal): void;
  /** Told once when they are taken again. */
  onAccepted(refusal: Refusal): void;
  /** Told once of each write that was refused, those of the probe among them. */
  count(code: Refusal['code']): void;
}

/**
 * The one place that knows whether Redis takes writes now. Who may wait does so here instead of asking Redis again and
 * again; the gate asks for all, and opens for all at once.
 */
export class WriteGate {
  readonly #options: WriteGateOptions;
  readonly #listeners: (() => void)[] = [];
  readonly #end = new AbortController();
  #refusal: Refusal | undefined;
  /** Settles when writes are taken again, or the gate is given up. */
  #reopened = Promise.withResolvers<void>();
  #told: { refusal: Refusal; at: number } | undefined;
  #isTold = false;
  /** Errors that were counted: the same one is heard from a script and from its caller. */
  readonly #counted = new WeakSet<Error>();

  constructor(options: WriteGateOptions) {
    this.#options = options;
  }

  /** Hears of an error of Redis. Returns whether it says that writes are refused. */
  heard(error: unknown): boolean {
    const heard = answerIn(error);
    if (!heard) {
      return false;
    }
    const { refusal, answer } = heard;
    if (!this.#counted.has(answer)) {
      this.#counted.add(answer);
      this.#options.count(refusal.code);
    }
    if (this.#refusal === undefined && !this.#end.signal.aborted) {
      this.#refusal = refusal;
      this.#reopened = Promise.withResolvers();
      void this.#watch();
    }
    return true;
  }

  /** Returns once writes are taken, as far as is known: false at once, true after a wait. Throws Unavailable at the end. */
  async pass(): Promise<boolean> {
    if (this.#refusal === undefined) {
      return false;
    }
    await this.#reopened.promise;
    if (this.#end.signal.aborted) {
      throw new Unavailable('STORE_UNAVAILABLE', 'the process stops while Redis refuses writes');
    }
    return true;
  }

  /** Runs `work`, and again from its beginning when Redis, having refused its writes, takes them. */
  async retried<T>(work: () => Promise<T>): Promise<T> {
    for (;;) {
      await this.pass();
      try {
        return await work();
      } catch (error) {
        if (!this.heard(error) || this.#end.signal.aborted) {
          throw error;
        }
      }
    }
  }

  /** Called each time that writes are taken again. */
  onReopened(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Whoever waits is let go with an error. */
  close(): void {
    this.#end.abort();
    this.#reopened.resolve();
  }

  async #watch(): Promise<void> {
    do {
      this.#tellRefused();
      await sleep(PROBE_MS, undefined, { signal: this.#end.signal, ref: false }).catch(() => undefined);
    } while (!this.#end.signal.aborted && !(await this.#takesWrites()));
    if (!this.#end.signal.aborted) {
      this.#reopen();
    }
  }

  /** Nothing is known of a Redis that is away: it is asked again. One that fails otherwise fails for whoever calls it. */
  async #takesWrites(): Promise<boolean> {
    try {
      await this.#options.probe();
      return true;
    } catch (error) {
      const refusal = refusalIn(error);
      if (refusal) {
        this.#options.count(refusal.code);
        this.#refusal = refusal;
      }
      return refusal === undefined && !isPassing(error);
    }
  }

  #reopen(): void {
    const refusal = this.#refusal;
    this.#refusal = undefined;
    this.#reopened.resolve();
    if (refusal && this.#isTold) {
      this.#isTold = false;
      this.#options.onAccepted(refusal);
    }
    for (const listener of this.#listeners) {
      listener();
    }
  }

  #tellRefused(): void {
    const now = performance.now();
    const isNews = this.#told?.refusal !== this.#refusal || now - (this.#told?.at ?? 0) >= TELL_EVERY_MS;
    if (this.#refusal && !this.#isTold && isNews) {
      this.#told = { refusal: this.#refusal, at: now };
      this.#isTold = true;
      this.#options.onRefused(this.#refusal);
    }
  }
}
