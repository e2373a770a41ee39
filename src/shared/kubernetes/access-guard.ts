import { type ClusterCall, ClusterNotCalled, ClusterRefused } from '../domain/cluster-error.ts';
import type { ClusterUse } from '../ports/cluster.ts';
import type { Ports } from '../ports/ports.ts';
import { countBreakerOpened } from '../telemetry/metrics.ts';
import { Breaker } from './breaker.ts';
import { type ClusterOutage, PROBING, SHORTLY_MS } from './cluster-outage.ts';
import { type FairTurns, NoTurn } from './fair-turns.ts';
import {
  asksForRest,
  isConnectFailure,
  speaksForSickness,
  speaksForSicknessOfAll,
  speaksForSicknessOfOne,
} from './sickness.ts';

/** Where the calls of this many principals keep failing, it is not their doing: others who use the access rest, too. */
const PRINCIPALS_TO_AGREE = 2;

/** Principals of one access whose failures are counted; of more, those who began to fail longest ago are forgotten. */
const MAX_FAILING = 32;

/** An access that was answered within this time is judged by its own calls, whatever those of others meet. */
const ANSWERED_RECENTLY_MS = 60_000;

/** The access whose calls are guarded, and what it shares with others to the same cluster. */
export interface GuardedAccess {
  cluster: string;
  configUid: string;
  turns: FairTurns;
  /** undefined: it neither tells others that the cluster is away, nor hears it from them. */
  outage: ClusterOutage | undefined;
}

/**
 * Stands between one access and its calls, so that a sick cluster is not made worse, and what one access or caller
 * meets costs others nothing. It gives the access a rest where that is asked for (Retry-After), and after failures in a
 * row (a circuit breaker). Failures that a caller can arrange, as by a webhook that hangs in their namespace, give a
 * rest to that principal only, until those of several agree; and even then never to the take-downs of others. Calls get
 * their turns among all to the cluster. Times are of the monotonic clock.
 */
export class AccessGuard {
  readonly #access: GuardedAccess;
  readonly #callTimeoutMs: number;
  readonly #log: Ports['log'] | undefined;
  readonly #breaker: Breaker;
  /** Of the principals whose last call failed, in the order in which they began to fail. */
  readonly #failing = new Map<string | undefined, Breaker>();
  #rest = { until: 0, because: '' };
  #answeredAt = Number.NEGATIVE_INFINITY;

  /** `callTimeoutMs`: for one call, from when it was asked for. `log` undefined: an access on trial. */
  constructor(access: GuardedAccess, callTimeoutMs: number, log: Ports['log'] | undefined) {
    this.#access = access;
    this.#callTimeoutMs = callTimeoutMs;
    this.#log = log;
    this.#breaker = this.#newBreaker({});
  }

  /**
   * Makes a call by `send`, which is told how long the call may still take. Throws what `send` throws, and
   * ClusterNotCalled where the access or the cluster rests, or the call does not get its turn in time.
   */
  async run<T>(call: ClusterCall, use: ClusterUse, send: (timeoutMs: number) => Promise<T>): Promise<T> {
    const askedAt = performance.now();
    this.#requireAwake(call, use);
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
    this.#requireAwake(call, use);
    this.#requireNoOutage(call, use);
    const outcome = await this.#send(use, () => send(timeoutMs).catch((error: Error) => error));
    this.#hear(outcome);
    if (outcome instanceof Error) {
      throw outcome;
    }
    return outcome;
  }

  /** Through both breakers: that of the access, and that of the principal, which exists from their first failure on. */
  async #send<T>({ principal }: ClusterUse, send: () => Promise<T | Error>): Promise<T | Error> {
    const own = this.#failing.get(principal);
    const outcome = await this.#breaker.run(
      () => (own ? own.run(send, speaksForSicknessOfOne) : send()),
      speaksForSicknessOfAll,
    );
    if (!speaksForSickness(outcome)) {
      this.#forgive(principal);
    } else if (!own && speaksForSicknessOfOne(outcome)) {
      this.#breakerOf(principal).hear(outcome);
    }
    return outcome;
  }

  /** An answer to a call from before its breaker opened does not end the rest. */
  #forgive(principal: string | undefined): void {
    if (this.#failing.get(principal)?.restsSince === undefined) {
      this.#failing.delete(principal);
    }
  }

  #breakerOf(principal: string | undefined): Breaker {
    const breaker = this.#failing.get(principal) ?? this.#newBreaker({ principal });
    this.#failing.set(principal, breaker);
    const [oldest] = this.#failing.keys();
    if (this.#failing.size > MAX_FAILING) {
      this.#failing.delete(oldest);
    }
    return breaker;
  }

  #newBreaker(whose: { principal?: string | undefined }): Breaker {
    const { cluster, configUid } = this.#access;
    const fields = { cluster, configUid, ...whose };
    return new Breaker({
      opened: (failure) => {
        if (this.#log) {
          this.#log.warn({ ...fields, err: failure }, 'calls to the cluster keep failing: it is given a rest');
          countBreakerOpened(cluster);
        }
      },
      closed: () => this.#log?.info(fields, 'the cluster answers again'),
    });
  }

  #requireAwake(call: ClusterCall, use: ClusterUse): void {
    const remainingMs = this.#rest.until - performance.now();
    if (remainingMs > 0) {
      throw this.#notCalled(call, this.#rest.because, Math.ceil(remainingMs), true);
    }
    const refusal =
      this.#breaker.refuses() ??
      this.#failing.get(use.principal)?.refuses() ??
      this.#refusalOfProbe(use) ??
      this.#refusalOfOthers(use);
    if (refusal) {
      throw this.#notCalled(call, refusal.because, refusal.retryAfterMs, false);
    }
  }

  /**
   * A principal whose own calls hang must not be the one that probes whether the cluster is back: others, who wait for
   * that, go first for a while.
   */
  #refusalOfProbe({ principal }: ClusterUse): { because: string; retryAfterMs: number } | undefined {
    const isForOthers = this.#breaker.isOpen && performance.now() < this.#breaker.restsUntil + PROBING.maxMs;
    return isForOthers && this.#failing.get(principal)?.isOpen
      ? { because: 'calls to it keep failing', retryAfterMs: SHORTLY_MS }
      : undefined;
  }

  /** Several principals agree while their calls rest, and no call was answered since those of each began to fail. */
  #refusalOfOthers({ principal, purpose }: ClusterUse): { because: string; retryAfterMs: number } | undefined {
    if (purpose === 'take-down' || this.#failing.has(principal)) {
      return undefined;
    }
    const resting = [...this.#failing.values()].filter(
      ({ restsSince = Number.NEGATIVE_INFINITY }) => restsSince > this.#answeredAt,
    );
    return resting.length < PRINCIPALS_TO_AGREE
      ? undefined
      : { because: 'calls of several callers to it keep failing', retryAfterMs: SHORTLY_MS };
  }

  /** What others met stops neither take-downs nor an access that was answered recently. */
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

  #hear(outcome: unknown): void {
    if (!(outcome instanceof Error) || outcome instanceof ClusterRefused) {
      this.#answeredAt = performance.now();
      this.#access.outage?.answered();
    } else if (isConnectFailure(outcome)) {
      this.#access.outage?.couldNotConnect(this.#access.configUid);
    }
    if (asksForRest(outcome)) {
      this.#restFor(outcome.refusal.retryAfterMs, `it answered ${outcome.refusal.status} with Retry-After`);
    }
  }

  #restFor(ms: number, because: string): void {
    const until = performance.now() + ms;
    if (until > this.#rest.until) {
      this.#rest = { until, because };
    }
  }
}
