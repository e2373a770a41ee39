import {
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
import type { ClusterUse } from '../ports/cluster.ts';
import type { Ports } from '../ports/ports.ts';
import { countBreakerOpened } from '../telemetry/metrics.ts';
import { type ClusterOutage, PROBING, SHORTLY_MS } from './cluster-outage.ts';
import { type FairTurns, NoTurn } from './fair-turns.ts';

/** So many failures in a row are no accident of one call. */
const FAILURES_TO_OPEN = 5;

/** Who was answered within this time goes on by what their own calls meet, whatever those of others do. */
const ANSWERED_RECENTLY_MS = 60_000;

/** The access whose calls are guarded, and what it shares with others to the same cluster. */
export interface GuardedAccess {
  cluster: string;
  configUid: string;
  turns: FairTurns;
  /** undefined: it neither tells others that the cluster is away, nor hears it of them. */
  outage: ClusterOutage | undefined;
}

/**
 * Stands between one access and its calls, so that a sick cluster is not made worse, and what one access meets costs
 * others nothing: it gives the access a rest after failures in a row (a circuit breaker), and where it is asked for one
 * (Retry-After). Calls get their turns among all to the cluster. Times are of the clock that never jumps.
 */
export class AccessGuard {
  readonly #access: GuardedAccess;
  readonly #callTimeoutMs: number;
  readonly #log: Ports['log'] | undefined;
  readonly #breaker: CircuitBreakerPolicy;
  #rest = { until: 0, because: '', isPassing: false };
  #answeredAt = Number.NEGATIVE_INFINITY;

  /** `callTimeoutMs`: for one call, from when it was asked for. `log` undefined: an access on trial. */
  constructor(access: GuardedAccess, callTimeoutMs: number, log: Ports['log'] | undefined) {
    this.#access = access;
    this.#callTimeoutMs = callTimeoutMs;
    this.#log = log;
    this.#breaker = circuitBreaker(handleWhenResult(speaksForSickness), {
      breaker: new ConsecutiveBreaker(FAILURES_TO_OPEN),
      halfOpenAfter: new DelegateBackoff(({ attempt, result }) => {
        this.#open(attempt, 'value' in result ? result.value : result.error);
        // The library would measure the rest by the wall clock. We measure it, so to the library it is always over.
        return Number.NEGATIVE_INFINITY;
      }),
    });
    const { cluster, configUid } = access;
    this.#breaker.onReset(() => log?.info({ cluster, configUid }, 'the cluster answers again'));
  }

  /**
   * Makes a call by `send`, which is told how long the call may still take. Throws what `send` throws, and
   * ClusterNotCalled where the access or the cluster rests, or the call does not get its turn in time.
   */
  async run<T>(call: ClusterCall, use: ClusterUse, send: (timeoutMs: number) => Promise<T>): Promise<T> {
    const askedAt = performance.now();
    this.#requireAwake(call);
    const { turns, configUid } = this.#access;
    try {
      return await turns.run({ ...use, configUid }, this.#callTimeoutMs, () => this.#inTurn(call, use, askedAt, send));
    } catch (error) {
      if (error instanceof NoTurn) {
        throw this.#notCalled(call, error.message, SHORTLY_MS, true);
      }
      throw error;
    }
  }

  async #inTurn<T>(
    call: ClusterCall,
    use: ClusterUse,
    askedAt: number,
    send: (timeoutMs: number) => Promise<T>,
  ): Promise<T> {
    const timeoutMs = askedAt + this.#callTimeoutMs - performance.now();
    if (timeoutMs <= 0) {
      throw new NoTurn('its turn did not come in time');
    }
    this.#requireAwake(call);
    this.#requireNoOutage(call, use);
    const outcome = await this.#breaker.execute(() => send(timeoutMs).catch((error: Error) => error));
    this.#hear(outcome);
    if (outcome instanceof Error) {
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

  /** No word of others keeps access from being ended, nor an access from the cluster that has just answered it. */
  #requireNoOutage(call: ClusterCall, { purpose }: ClusterUse): void {
    const isExempt = purpose === 'take-down' || performance.now() - this.#answeredAt < ANSWERED_RECENTLY_MS;
    const refusal = isExempt ? undefined : this.#access.outage?.refuses();
    if (refusal) {
      throw this.#notCalled(call, refusal.because, refusal.retryAfterMs, false);
    }
  }

  #notCalled(call: ClusterCall, because: string, retryAfterMs: number, isPassing: boolean): ClusterNotCalled {
    return new ClusterNotCalled(call, `${this.#access.cluster} is not called for now: ${because}`, {
      retryAfterMs,
      isPassing,
    });
  }

  #open(attempt: number, failure: unknown): void {
    const { cluster, configUid } = this.#access;
    this.#restFor(
      retryDelay(attempt, PROBING, Math.random),
      `calls to it keep failing; the last: ${kindOf(failure)}`,
      false,
    );
    if (this.#log && attempt === 1) {
      this.#log.warn({ cluster, configUid, err: failure }, 'calls to the cluster keep failing: it is given a rest');
      countBreakerOpened(cluster);
    }
  }

  #hear(outcome: unknown): void {
    if (!(outcome instanceof Error) || outcome instanceof ClusterRefused) {
      this.#answeredAt = performance.now();
      this.#access.outage?.answered();
    } else if (isConnectFailure(outcome)) {
      this.#access.outage?.couldNotConnect(this.#access.configUid);
    }
    if (asksForRest(outcome)) {
      this.#restFor(outcome.refusal.retryAfterMs, `it answered ${outcome.refusal.status} with Retry-After`, true);
    }
  }

  #restFor(ms: number, because: string, isPassing: boolean): void {
    const until = performance.now() + ms;
    if (until > this.#rest.until) {
      this.#rest = { until, because, isPassing };
    }
  }
}

/** Told to all who use the access, and so without words that the call of one of them got. */
function kindOf(failure: unknown): string {
  if (failure instanceof ClusterRefused) {
    return `it answered ${failure.refusal.status}`;
  }
  const what = failure instanceof ClusterNotCalled ? 'no connection could be made' : 'no answer came';
  const { code } = ((failure as Error).cause ?? {}) as NodeJS.ErrnoException;
  return code === undefined ? what : `${what} (${code})`;
}

/** Of the cluster. That a gateway has no agent says nothing of it. */
function isConnectFailure(outcome: unknown): boolean {
  return outcome instanceof ClusterNotCalled && !(outcome instanceof GatewayNotConnected);
}

const SAYS_NOTHING = [ClusterAddressNotAllowed, ClusterNotTrusted, GatewayLost, GatewayNotConnected, GatewayRefused];

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
