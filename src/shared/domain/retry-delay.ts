/** How failed take-downs are retried. */
export interface RetryPolicy {
  /** First wait, in ms; it doubles. */
  initialMs: number;
  /** Longest wait, in ms: from there on it stays, without end. */
  maxMs: number;
  /** After so many tries a lease counts as stalled. */
  stalledAfter: number;
}

/**
 * How long to wait after the given number of tries: it doubles from the first wait up to the longest, and of that a
 * random part between half and all, so that leases that failed together do not come back together. Milliseconds.
 */
export function retryDelay(
  tries: number,
  { initialMs, maxMs }: Pick<RetryPolicy, 'initialMs' | 'maxMs'>,
  random: () => number,
): number {
  const full = Math.min(maxMs, initialMs * 2 ** Math.min(tries - 1, 52));
  return Math.round(full / 2 + (random() * full) / 2);
}
