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
  createTime: number;
  /** Once every lease was tried. */
  endTime?: number | undefined;
}

/** What became of one lease of a batch. One that failed stays REVOKING, and is retried like any other. */
export interface BatchOutcome {
  leaseId: string;
  state: Lease['state'];
  /** Why it is not taken down yet; empty where it is. */
  error: string;
}

/** Whether a config's leases belong to a target, as far as the config tells. */
export function mayConcern(target: BatchTarget, config: Config): boolean {
  switch (target.kind) {
    case 'config':
      return target.config === config.name;
    case 'labels':
      return Object.entries(target.labels).every(([key, value]) => config.labels[key] === value);
    default:
      return true;
  }
}

/** Whether a lease of such a config belongs to a batch. */
export function concerns({ target, createTime }: Batch, lease: Lease): boolean {
  return lease.createTime <= createTime && (target.kind !== 'principal' || target.principal === lease.principal);
}
