import type { ClusterCall } from '../domain/cluster-error.ts';
import { ClusterClockDiffers } from '../domain/cluster-error.ts';
import type { Secret } from '../domain/secret.ts';
import type { Ports } from '../ports/ports.ts';
import { recordClockOffset } from '../telemetry/metrics.ts';
import { issueTimeOf } from './issue-time.ts';

/** Beyond this an offset is told of. */
const NOTICEABLE_MS = 5_000;

/** Beyond this no lease is issued: what its token and its record say of its end would be different things. */
const MAX_SKEW_MS = 30_000;

/** HTTP dates and the times in tokens are whole seconds. */
const RESOLUTION_MS = 1_000;

/** Two readings of one clock may differ by so much: it drifts, and API servers of one cluster are not quite alike. */
const SAME_MS = 2_000;

/**
 * How long the header Date must go on to agree with itself before it is believed without a token's word. What a cache
 * repeats stands still, and contradicts itself by then.
 */
const SPAN_MS = 3_000;

/**
 * A clock that was off is right again once no reading has said otherwise for so long: API servers of one cluster may take
 * turns with clocks that differ.
 */
const RIGHT_FOR_MS = 60_000;

/** When a call was sent and answered, by our clock. */
export interface Exchange {
  sentAt: number;
  answeredAt: number;
}

interface Reading {
  /** How far the other clock is ahead, at least in size: what the resolution and the way leave open counts as none. */
  aheadMs: number;
  at: number;
}

/**
 * What is known of the clock of a cluster's API server: from the header Date of its answers, which is there early but may
 * come from a proxy or a cache, and from the tokens that it mints, which say by its own clock when they were made. By that
 * clock its tokens end, so only they can keep a lease from being issued. Taking down asks nobody what time it is.
 */
export class ClusterClock {
  readonly #cluster: string;
  readonly #now: () => number;
  readonly #log: Ports['log'] | undefined;
  /** The first of the readings of Date that agree with each other, and the latest. */
  #dates: { first: Reading; last: Reading } | undefined;
  #token: Reading | undefined;
  /** Whether Date said the same as the last token: otherwise it comes from something in between. */
  #isDateTheirs = true;
  #wasAsked = false;
  /** When a reading that was off came last, where that was told and the clock does not count as right again. */
  #offAt: number | undefined;

  /** `now`: our clock, by which leases end. `log` undefined: what is heard counts for one trial, and is not logged. */
  constructor(cluster: string, now: () => number, log: Ports['log'] | undefined) {
    this.#cluster = cluster;
    this.#now = now;
    this.#log = log;
  }

  now(): number {
    return this.#now();
  }

  /** Hears the header Date of an answer. One that is missing or no date says nothing. */
  heardDate(date: string | string[] | undefined, exchange: Exchange): void {
    const time = typeof date === 'string' ? Date.parse(date) : Number.NaN;
    if (Number.isNaN(time)) {
      return;
    }
    const last = reading(time, exchange);
    const first = this.#dates && agree(this.#dates.first, last) ? this.#dates.first : last;
    this.#dates = { first, last };
    if (last.at - first.at >= SPAN_MS) {
      this.#tell(last);
    }
  }

  /**
   * How far the API server that minted `token` is ahead. Where the token does not say when it was made, `assumedTime` counts
   * if the header Date says the same.
   */
  heardToken(token: Secret, assumedTime: number, exchange: Exchange): number {
    const said = issueTimeOf(token);
    const own = reading(said ?? assumedTime, exchange);
    const agrees = this.#dates !== undefined && agree(this.#dates.last, own);
    if (said === undefined && !agrees) {
      return 0;
    }
    this.#token = own;
    this.#isDateTheirs = agrees;
    this.#tell(own);
    return own.aheadMs;
  }

  /** Throws ClusterClockDiffers where the clocks are too far apart for a lease. */
  require(call: ClusterCall, aheadMs: number): void {
    if (Math.abs(aheadMs) > MAX_SKEW_MS) {
      throw new ClusterClockDiffers(call, this.#cluster, Math.round(aheadMs / 1000));
    }
  }

  /**
   * How far the clock is ahead, as far as is known, for what depends on when a token of the cluster ends. That is by the
   * newer of the last token and Date, where the two agreed when that token came. Before any token, Date alone may make
   * things happen sooner, and never later.
   */
  get aheadMs(): number {
    const date = this.#dates;
    if (!this.#token) {
      return Math.max(0, date?.last.aheadMs ?? 0);
    }
    const isNewer =
      date && this.#isDateTheirs && date.last.at - date.first.at >= SPAN_MS && date.last.at > this.#token.at;
    return isNewer ? date.last.aheadMs : this.#token.aheadMs;
  }

  /** Says true, once, where nothing was heard of the clock. */
  mayBeAsked(): boolean {
    const may = !this.#wasAsked && !this.#token && !this.#dates;
    this.#wasAsked = true;
    return may;
  }

  /** Whether the last token was made at a time that is too far from ours, so that the next one will be, too, unless the clock was set. */
  get wasOff(): boolean {
    return this.#token !== undefined && Math.abs(this.#token.aheadMs) > MAX_SKEW_MS;
  }

  /** Throws ClusterClockDiffers where an answer that came since `askedAt` still agrees with the last token. */
  requireSetSince(call: ClusterCall, askedAt: number): void {
    const last = this.#dates?.last;
    if (this.#token && last && last.at >= askedAt && agree(this.#token, last)) {
      this.require(call, last.aheadMs);
    }
  }

  #tell({ aheadMs, at }: Reading): void {
    if (!this.#log) {
      return;
    }
    recordClockOffset(aheadMs, { cluster: this.#cluster });
    if (Math.abs(aheadMs) > NOTICEABLE_MS) {
      if (this.#offAt === undefined) {
        this.#warn(aheadMs);
      }
      this.#offAt = at;
    } else if (this.#offAt !== undefined && at - this.#offAt >= RIGHT_FOR_MS) {
      this.#offAt = undefined;
      this.#log.info({ cluster: this.#cluster }, 'the clock of the API server is right again');
    }
  }

  #warn(aheadMs: number): void {
    const aheadSeconds = Math.round(aheadMs / 1000);
    this.#log?.warn(
      { cluster: this.#cluster, aheadSeconds },
      `the clock of the API server is ${Math.abs(aheadSeconds)} s ${aheadMs > 0 ? 'ahead of' : 'behind'} that of Redis, by which leases end. ` +
        `Beyond ${MAX_SKEW_MS / 1000} s no lease is issued; taking down goes on. Check NTP at both`,
    );
  }
}

/** The other clock said `time`, in whole seconds, at some moment between the two. */
function reading(time: number, { sentAt, answeredAt }: Exchange): Reading {
  const least = time - answeredAt;
  const most = time + RESOLUTION_MS - sentAt;
  return { aheadMs: Math.max(least, Math.min(0, most)), at: answeredAt };
}

function agree(one: Reading, other: Reading): boolean {
  return Math.abs(one.aheadMs - other.aheadMs) <= SAME_MS;
}
