import type { Config } from './config.ts';
import type { Lease } from './lease.ts';

/** Which leases a batch revokes: all that live of those, and were issued before it. */
export type BatchTarget =
  | { kind: 'config'; config: string }
  | { kind: 'principal'; principal: string }
  /** Leases on configs that carry all of these labels. */
  | { kind: 'labels'; labels: Readonly<Record<string, string>> }
  | { kind: 'all' };

/** The revocation of many leases at once. A record of its own, so that it outlives whoever works on it. */
export interface Batch {
  /** A UUID. */
  id: string;
  principal: string;
  target: BatchTarget;
  /** Ends leases even where the cluster does not confirm that their objects are gone. */
  force?: boolean | undefined;
  createTime: number;
  /** Once every lease was tried. */
  endTime?: number | undefined;
}

/** What became of one lease of a batch. One that failed stays REVOKING, and is retried like any other. */
export interface BatchOutcome {
  leaseId: string;
  state: Lease['state'];
  /** Why it is not taken down yet, or, of one that was ended by force, why its objects were not confirmed gone; else empty. */
  error: string;
  /** It was ended by force though its objects were not confirmed gone. */
  forced?: boolean | undefined;
}

/** Whether a config carries all of these labels. */
export function carries({ labels }: Pick<Config, 'labels'>, wanted: Readonly<Record<string, string>>): boolean {
  return Object.entries(wanted).every(([key, value]) => labels[key] === value);
}

/** Clocks of servers may differ by so much: rather revoke a lease too many than leave one. */
const CLOCK_SKEW_MS = 2_000;

/** Whether a lease of a config that the target names belongs to a batch. */
export function concerns({ target, createTime }: Batch, lease: Lease): boolean {
  return (
    lease.createTime <= createTime + CLOCK_SKEW_MS &&
    (target.kind !== 'principal' || target.principal === lease.principal)
  );
}
