import { hasEnded, type Lease } from './lease.ts';
import type { ReadMarks } from './marks.ts';

/** Clocks of the one who wrote an expiry and of the one who reads it may differ by so much. */
const CLOCK_SKEW_MS = 60_000;

/**
 * Whether an object of ours, found in a cluster, belongs to no lease any more. One whose lease lives is that lease's to
 * remove, whatever its own expiry says: the lease may have been renewed. One whose lease the store does not know is left
 * until its own expiry, because a store that was restored from a backup must not cut people off.
 */
export function isOrphan({ expireTime }: ReadMarks, lease: Lease | undefined, now: number): boolean {
  return lease ? hasEnded(lease) : expireTime + CLOCK_SKEW_MS < now;
}
