import { retryDelay } from '../domain/retry-delay.ts';
import type { Ports } from '../ports/ports.ts';
import { countBreakerOpened } from '../telemetry/metrics.ts';

/** Waits before what failed is probed. They are never long: a cluster that is back has leases to take down. */
export const PROBING = { initialMs: 1_000, maxMs: 15_000 };

/** How long to wait for a turn, or for the outcome of a probe. */
export const SHORTLY_MS = 1_000;

/** This many configs must agree that the cluster cannot be reached, in this many calls without an answer in between. */
const CONFIGS_TO_AGREE = 3;
const FAILURES_TO_AGREE = 5;

/** Failures from longer ago do not count. */
const REMEMBERED_MS = 60_000;

/**
 * Whether several configs agree that a cluster is away, so that not each has to find out by itself. Only connections
 * that could not be made count: a tenant can have their own calls hang, in a webhook of their namespace, but cannot
 * make the connections of others fail. One answer to any call ends it. What a call was told is passed on to no other.
 */
export class ClusterOutage {
  readonly #cluster: string;
  readonly #log: Ports['log'];
  readonly #configs = new Set<string>();
  #failures = 0;
  #failedAt = Number.NEGATIVE_INFINITY;
  #open: { since: Date; attempt: number; until: number; isProbed: boolean } | undefined;

  constructor(cluster: string, log: Ports['log']) {
    this.#cluster = cluster;
    this.#log = log;
  }

  /** Why the cluster is not called now; undefined where it may be. While it is away, one call at a time probes it. */
  refuses(): { because: string; retryAfterMs: number } | undefined {
    if (!this.#open) {
      return undefined;
    }
    const { since, until } = this.#open;
    const remainingMs = until - performance.now();
    if (remainingMs <= 0) {
      this.#open = { ...this.#open, until: performance.now() + SHORTLY_MS, isProbed: true };
      return undefined;
    }
    return {
      because: `several configs could not connect to it since ${since.toISOString()}`,
      retryAfterMs: Math.ceil(remainingMs),
    };
  }

  /** A call of that config could not connect. */
  couldNotConnect(configUid: string): void {
    const now = performance.now();
    if (now - this.#failedAt > REMEMBERED_MS) {
      this.#forget();
    }
    this.#failedAt = now;
    this.#failures += 1;
    if (this.#configs.size < CONFIGS_TO_AGREE) {
      this.#configs.add(configUid);
    }
    if (this.#configs.size >= CONFIGS_TO_AGREE && this.#failures >= FAILURES_TO_AGREE) {
      this.#rest(now);
    }
  }

  /** A call was answered. */
  answered(): void {
    if (this.#open) {
      this.#log.info({ cluster: this.#cluster }, 'the cluster can be reached again');
    }
    this.#forget();
  }

  #rest(now: number): void {
    if (!this.#open) {
      this.#log.warn({ cluster: this.#cluster }, 'several configs cannot connect to the cluster: it is given a rest');
      countBreakerOpened(this.#cluster);
    }
    // What was under way when the rest began tells nothing new.
    if (!this.#open || this.#open.isProbed) {
      const { since = new Date(), attempt = 0 } = this.#open ?? {};
      const restMs = retryDelay(attempt + 1, PROBING, Math.random);
      this.#open = { since, attempt: attempt + 1, until: now + restMs, isProbed: false };
    }
  }

  #forget(): void {
    this.#configs.clear();
    this.#failures = 0;
    this.#open = undefined;
  }
}
