import {
  BulkheadRejectedError,
  bulkhead,
  type CircuitBreakerPolicy,
  CircuitState,
  ConsecutiveBreaker,
  circuitBreaker,
  DelegateBackoff,
  handleWhenResult,
} from 'cockatiel';
import {
  ClusterAddressNotAllowed,
  type ClusterCall,
  ClusterError,
  ClusterNotCalled,
  ClusterNotTrusted,
  ClusterRefused,
  GatewayLost,
  GatewayNotConnected,
  GatewayRefused,
} from '../domain/cluster-error.ts';
import { retryDelay } from '../domain/retry-delay.ts';
import type { Ports } from '../ports/ports.ts';
import { countBreakerOpened } from '../telemetry/metrics.ts';

/** Calls that wait for their turn. More could not be made within their deadline by a cluster that is that slow. */
const MAX_WAITING = 512;

/** So many failures in a row are no accident of one call. */
const FAILURES_TO_OPEN = 5;

/** Waits before a cluster is probed. It never rests long: one that is back has leases to take down. */
const PROBING = { initialMs: 1_000, maxMs: 15_000 };

/** What to wait for a turn, or for what a probe finds. */
const SHORTLY_MS = 1_000;

export interface GuardLimits {
  /** Calls at the same time. */
  connections: number;
  /** For one call, from when it was asked for. */
  callTimeoutMs: number;
}

/**
 * Stands between one cluster and all calls to it, under whatever access, so that a sick one costs others nothing and is
 * not made worse: it bounds the calls at once and those that wait; it gives the cluster a rest after failures in a row
 * (a circuit breaker), and where the cluster asks for one (Retry-After). Times are of the clock that never jumps.
 */
export class ClusterGuard {
  readonly #cluster: string;
  readonly #limits: GuardLimits;
  readonly #log: Ports['log'];
  readonly #turns: ReturnType<typeof bulkhead>;
  readonly #breaker: CircuitBreakerPolicy;
  #rest = { until: 0, because: '', isPassing: false };

  constructor(cluster: string, limits: GuardLimits, log: Ports['log']) {
    this.#cluster = cluster;
    this.#limits = limits;
    this.#log = log;
    this.#turns = bulkhead(limits.connections, MAX_WAITING);
    this.#breaker = circuitBreaker(handleWhenResult(speaksForSickness), {
      breaker: new ConsecutiveBreaker(FAILURES_TO_OPEN),
      halfOpenAfter: new DelegateBackoff(({ attempt, result }) => {
        this.#open(attempt, 'value' in result ? result.value : result.error);
        // The library would measure the rest by the wall clock. We measure it, so to the library it is always over.
        return Number.NEGATIVE_INFINITY;
      }),
    });
    this.#breaker.onReset(() => log.info({ cluster }, 'the cluster answers again'));
  }

  /**
   * Makes a call by `send`, which is told how long the call may still take. Throws what `send` throws, and
   * ClusterNotCalled where the cluster rests or the call does not get its turn in time.
   */
  async run<T>(call: ClusterCall, send: (timeoutMs: number) => Promise<T>): Promise<T> {
    const askedAt = performance.now();
    this.#requireAwake(call);
    try {
      return await this.#turns.execute(() => this.#inTurn(call, askedAt, send));
    } catch (error) {
      if (error instanceof BulkheadRejectedError) {
        throw this.#notCalled(call, `${MAX_WAITING} calls wait for their turn already`, SHORTLY_MS, true);
      }
      throw error;
    }
  }

  async #inTurn<T>(call: ClusterCall, askedAt: number, send: (timeoutMs: number) => Promise<T>): Promise<T> {
    const timeoutMs = askedAt + this.#limits.callTimeoutMs - performance.now();
    // No timer is needed while it waits: those before it end by their own deadlines, which are sooner.
    if (timeoutMs <= 0) {
      throw this.#notCalled(call, `its turn did not come within ${this.#limits.callTimeoutMs} ms`, SHORTLY_MS, true);
    }
    this.#requireAwake(call);
    const outcome = await this.#breaker.execute(() => send(timeoutMs).catch((error: Error) => error));
    if (outcome instanceof Error) {
      this.#heed(outcome);
      throw outcome;
    }
    return outcome;
  }

  #requireAwake(call: ClusterCall): void {
    const remainingMs = this.#rest.until - performance.now();
    if (remainingMs > 0) {
      throw this.#notCalled(call, this.#rest.because, Math.ceil(remainingMs), this.#rest.isPassing);
    }
    if (this.#breaker.state === CircuitState.HalfOpen) {
      throw this.#notCalled(call, this.#rest.because, SHORTLY_MS, false);
    }
  }

  #notCalled(call: ClusterCall, because: string, retryAfterMs: number, isPassing: boolean): ClusterNotCalled {
    return new ClusterNotCalled(call, `${this.#cluster} is not called for now: ${because}`, {
      retryAfterMs,
      isPassing,
    });
  }

  #open(attempt: number, failure: unknown): void {
    this.#restFor(
      retryDelay(attempt, PROBING, Math.random),
      `calls to it keep failing; the last: ${problemOf(failure)}`,
      false,
    );
    if (attempt === 1) {
      this.#log.warn({ cluster: this.#cluster, err: failure }, 'calls to the cluster keep failing: it is given a rest');
      countBreakerOpened(this.#cluster);
    }
  }

  #heed(error: Error): void {
    if (asksForRest(error)) {
      this.#restFor(error.refusal.retryAfterMs, `it asked for a rest: ${error.problem}`, true);
    }
  }

  #restFor(ms: number, because: string, isPassing: boolean): void {
    const until = performance.now() + ms;
    if (until > this.#rest.until) {
      this.#rest = { until, because, isPassing };
    }
  }
}

const SAYS_NOTHING = [ClusterAddressNotAllowed, ClusterNotTrusted, GatewayLost, GatewayNotConnected, GatewayRefused];

/** Told to all who call the cluster: the cluster's own words, but not which call failed. */
function problemOf(failure: unknown): string {
  return failure instanceof ClusterError ? failure.problem : String(failure);
}

type RestRequest = ClusterRefused & { refusal: { retryAfterMs: number } };

function asksForRest(outcome: unknown): outcome is RestRequest {
  return (
    outcome instanceof ClusterRefused &&
    !outcome.isOfAdmission &&
    (outcome.refusal.status === 429 || outcome.refusal.status === 503) &&
    outcome.refusal.retryAfterMs !== undefined
  );
}

/**
 * What becomes of a gateway's agents says nothing of the cluster: where none is there it costs nothing to ask again, where
 * one was lost another carries the next call. An API server that is away behind them is heard of by those.
 *
 * An answer that says no, also when to come back, is from a cluster that is well. So is a 500 in an API server's own
 * words, and whatever admission says: a webhook chooses its HTTP status itself, and may be of one namespace only.
 */
function speaksForSickness(outcome: unknown): boolean {
  if (!(outcome instanceof ClusterRefused)) {
    return outcome instanceof ClusterError && !SAYS_NOTHING.some((type) => outcome instanceof type);
  }
  const { status, reason } = outcome.refusal;
  const isAboutThisCall = outcome.isOfAdmission || (status === 500 && reason !== '');
  return (status === 429 || status >= 500) && !isAboutThisCall && !asksForRest(outcome);
}
