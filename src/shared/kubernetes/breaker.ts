import {
  type CircuitBreakerPolicy,
  CircuitState,
  ConsecutiveBreaker,
  circuitBreaker,
  DelegateBackoff,
  handleWhenResult,
} from 'cockatiel';
import { retryDelay } from '../domain/retry-delay.ts';
import { PROBING, SHORTLY_MS } from './cluster-outage.ts';
import { kindOf, speaksForSickness } from './sickness.ts';

/** After this many failures in a row calls rest. */
const FAILURES_TO_OPEN = 5;

/** Called when it opens, and when it is closed again. */
interface Listener {
  opened(failure: unknown): void;
  closed(): void;
}

/**
 * A circuit breaker: after failures in a row calls rest, and then one at a time goes to probe. Times are of the
 * monotonic clock.
 */
export class Breaker {
  readonly #policy: CircuitBreakerPolicy;
  #rest = { until: Number.NEGATIVE_INFINITY, because: '' };
  #openedAt: number | undefined;

  constructor(listener: Listener) {
    this.#policy = circuitBreaker(handleWhenResult(speaksForSickness), {
      breaker: new ConsecutiveBreaker(FAILURES_TO_OPEN),
      halfOpenAfter: new DelegateBackoff(({ attempt, result }) => {
        const failure = 'value' in result ? result.value : result.error;
        this.#rest = {
          until: performance.now() + retryDelay(attempt, PROBING, Math.random),
          because: `calls to it keep failing; the last: ${kindOf(failure)}`,
        };
        if (attempt === 1) {
          this.#openedAt = performance.now();
          listener.opened(failure);
        }
        // The library would measure the rest by the wall clock. We measure it, so to the library it is always over.
        return Number.NEGATIVE_INFINITY;
      }),
    });
    this.#policy.onReset(() => {
      this.#openedAt = undefined;
      listener.closed();
    });
  }

  /** Since when there was no success, where calls rest just now; otherwise undefined. */
  get restsSince(): number | undefined {
    return this.#rest.until > performance.now() ? this.#openedAt : undefined;
  }

  get isOpen(): boolean {
    return this.#policy.state !== CircuitState.Closed;
  }

  /** By performance.now(). */
  get restsUntil(): number {
    return this.#rest.until;
  }

  /** Why no call may be made now; undefined where one may. */
  refuses(): { because: string; retryAfterMs: number } | undefined {
    const { until, because } = this.#rest;
    const remainingMs = until - performance.now();
    if (remainingMs > 0) {
      return { because, retryAfterMs: Math.ceil(remainingMs) };
    }
    return this.#policy.state === CircuitState.HalfOpen ? { because, retryAfterMs: SHORTLY_MS } : undefined;
  }

  /** Makes a call, whose errors are returned. A failure that does not count decides a probe, and nothing else. */
  async run<T>(send: () => Promise<T | Error>, counts: (failure: unknown) => boolean): Promise<T | Error> {
    if (this.#policy.state !== CircuitState.Closed) {
      return this.#policy.execute(send);
    }
    const outcome = await send();
    this.hear(outcome, counts);
    return outcome;
  }

  /** Counts how a call ended that was made without it. */
  hear(outcome: unknown, counts: (failure: unknown) => boolean = speaksForSickness): void {
    const isNeutral = speaksForSickness(outcome) && !counts(outcome);
    if (!isNeutral && this.#policy.state === CircuitState.Closed) {
      void this.#policy.execute(() => outcome);
    }
  }
}
