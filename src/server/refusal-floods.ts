import { sourceNetwork } from './limits/source-network.ts';

/** A refusal of a call, as far as it tells one flood from another. */
export interface Refusal {
  /** Name of the principal; undefined: not authenticated. */
  principal: string | undefined;
  sourceIp: string | undefined;
  action: string;
  /** As `config/orders`; undefined: not known, or of no single one. */
  resource?: string | undefined;
  code: string;
  /** Of the error. */
  reason: string;
}

/** What was not written one by one in a window. */
export interface FloodSummary {
  count: number;
  /** Times in ISO 8601 of the first and the last of them. */
  first: string;
  last: string;
  /** How many, by each of these; at most `MAX_NAMED` names each, the most frequent first, and the rest as `others`. */
  principals?: Record<string, number>;
  sources: Record<string, number>;
  actions: Record<string, number>;
  resources?: Record<string, number>;
  reasons: Record<string, number>;
}

interface Summed {
  count: number;
  first: number;
  last: number;
  by: Record<'principals' | 'sources' | 'actions' | 'resources' | 'reasons', Map<string, number>>;
}

const WINDOW_MS = 10_000;

/** Refusals alike that are written one by one in a window. */
const FIRST_FEW = 5;

/**
 * All that are written one by one in a window: of one caller that is known, so that none uses up what others have; of
 * all of them, since whoever has an issuer's key may call by many names; and of all calls that are not authenticated.
 */
const MAX_WRITTEN_OF_ONE = 20;
const MAX_WRITTEN = { authenticated: 500, unauthenticated: 100 };

/** What is told apart in a window: an attacker chooses addresses and, with an issuer's key, names. */
const MAX_KEYS = 1_000;

const MAX_NAMED = 20;
const OTHERS = 'others';

/**
 * Bounds what refused calls write to the log, so that a flood of them fills no disk and hides no other line: the first
 * few that are alike are written one by one, the others are counted, and told of in one summary for each window. Those
 * without credentials are alike by source network and reason, others by principal, action, resource and reason. Each
 * kind has its own bound: a flood of one hides nothing of the other.
 */
export class RefusalFloods {
  readonly #summarize: (summary: FloodSummary) => void;
  readonly #clock: () => number;
  readonly #kinds = {
    unauthenticated: new Window(MAX_WRITTEN.unauthenticated),
    authenticated: new Window(MAX_WRITTEN.authenticated),
  };
  #timer: NodeJS.Timeout | undefined;

  /**
   * `summarize` is told at the end of each window that has something to tell. `clock`: milliseconds since the epoch.
   */
  constructor(summarize: (summary: FloodSummary) => void, clock = Date.now) {
    this.#summarize = summarize;
    this.#clock = clock;
  }

  /** Whether a refusal is to be written by itself. Otherwise it is in a summary. */
  isWritten(refusal: Refusal): boolean {
    this.#timer ??= setTimeout(() => this.flush(), WINDOW_MS).unref();
    const kind = refusal.principal === undefined ? 'unauthenticated' : 'authenticated';
    return this.#kinds[kind].isWritten(refusal, this.#clock());
  }

  /** Ends the window. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const window of Object.values(this.#kinds)) {
      const summary = window.end();
      if (summary) {
        this.#summarize(summary);
      }
    }
  }
}

class Window {
  readonly #maxWritten: number;
  readonly #alike = new Map<string, number>();
  /** Written lines by principal. */
  readonly #writtenOf = new Map<string, number>();
  #written = 0;
  #summed: Summed | undefined;

  constructor(maxWritten: number) {
    this.#maxWritten = maxWritten;
  }

  isWritten(refusal: Refusal, now: number): boolean {
    const { principal, sourceIp, action, resource, code, reason } = refusal;
    const source = sourceNetwork(sourceIp);
    const kind = principal === undefined ? [source, reason] : [principal, action, resource, code, reason];
    const ofOne = principal === undefined ? 0 : (this.#writtenOf.get(principal) ?? 0);
    // A principal that has no lines left is given no keys either.
    const mayHaveLine = ofOne < MAX_WRITTEN_OF_ONE && this.#written < this.#maxWritten;
    if (mayHaveLine && countIn(this.#alike, JSON.stringify(kind)) <= FIRST_FEW) {
      this.#written += 1;
      if (principal !== undefined) {
        this.#writtenOf.set(principal, ofOne + 1);
      }
      return true;
    }
    this.#sum(refusal, source, now);
    return false;
  }

  /** Undefined: all was written. */
  end(): FloodSummary | undefined {
    const summed = this.#summed;
    this.#alike.clear();
    this.#writtenOf.clear();
    this.#written = 0;
    this.#summed = undefined;
    if (!summed) {
      return undefined;
    }
    const { principals, sources, actions, resources, reasons } = summed.by;
    return {
      count: summed.count,
      first: new Date(summed.first).toISOString(),
      last: new Date(summed.last).toISOString(),
      ...(principals.size > 0 && { principals: mostFrequent(principals) }),
      sources: mostFrequent(sources),
      actions: mostFrequent(actions),
      ...(resources.size > 0 && { resources: mostFrequent(resources) }),
      reasons: mostFrequent(reasons),
    };
  }

  #sum({ principal, action, resource, reason }: Refusal, source: string, now: number): void {
    this.#summed ??= {
      count: 0,
      first: now,
      last: now,
      by: {
        principals: new Map(),
        sources: new Map(),
        actions: new Map(),
        resources: new Map(),
        reasons: new Map(),
      },
    };
    const { by } = this.#summed;
    this.#summed.count += 1;
    this.#summed.last = now;
    countIn(by.sources, source);
    countIn(by.actions, action);
    countIn(by.reasons, reason);
    if (principal !== undefined) {
      countIn(by.principals, principal);
    }
    if (resource !== undefined) {
      countIn(by.resources, resource);
    }
  }
}

/** Returns how many there are by now. */
function countIn(counts: Map<string, number>, name: string): number {
  const key = counts.has(name) || counts.size < MAX_KEYS ? name : OTHERS;
  const count = (counts.get(key) ?? 0) + 1;
  counts.set(key, count);
  return count;
}

function mostFrequent(counts: ReadonlyMap<string, number>): Record<string, number> {
  const sorted = [...counts].sort(([, one], [, other]) => other - one);
  const rest = sorted.slice(MAX_NAMED).reduce((sum, [, count]) => sum + count, 0);
  const named = Object.fromEntries(sorted.slice(0, MAX_NAMED));
  return rest === 0 ? named : { ...named, [OTHERS]: (named[OTHERS] ?? 0) + rest };
}
