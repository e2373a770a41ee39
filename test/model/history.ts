import type { Lease, LeaseObject } from '../../src/shared/domain/lease.ts';
import type { IssueCall } from './actions.ts';
import type { Invariant } from './violation.ts';
import { Violation } from './violation.ts';

/** An object that was made for a lease. */
export interface Made {
  url: string;
  uid: string;
  objectKind: LeaseObject['kind'];
  leaseId: string;
  purpose: Lease['purpose'];
}

/** What was seen to happen, from the outside of what is tested: the invariants are checked against it. */
export class History {
  /** What did not hold, in the order in which it was seen. */
  readonly violations: Violation[] = [];
  /** Every lease that was ever durable, as it was recorded first. */
  readonly recorded = new Map<string, Lease>();
  /** `id version end` of every ACTIVE version that was durable. */
  readonly active = new Set<string>();
  /** The soonest time that the alarm of a lease was ever set for. */
  readonly alarms = new Map<string, number>();
  /** By URL and uid. */
  readonly made = new Map<string, Made>();
  /** Leases whose token a caller has, with the version that it was told of. */
  readonly acknowledged = new Map<string, Lease>();
  /** Calls to issue that had a request_id. */
  readonly requests: IssueCall[] = [];
  /** Leases that were acknowledged under a request_id. */
  readonly byRequest = new Map<string, Set<string>>();
  /** Leases of which a write was lost: nothing more is expected of them than that they go. */
  readonly tainted = new Set<string>();
  /** Whether somebody may have been taken for dead who was not: a clock went ahead, or a process was stopped for long. */
  isDisturbed = false;
  /** Whether the store ever lost writes. */
  isLossy = false;
  /** `message id state` of what must be in the log. */
  readonly toBeLogged = new Set<string>();
  readonly logged = new Set<string>();

  violated(invariant: Invariant, what: string): void {
    this.violations.push(new Violation(invariant, what));
  }

  require(holds: boolean, invariant: Invariant, what: () => string): void {
    if (!holds) {
      this.violated(invariant, what());
    }
  }

  lostWritesOf(keys: Iterable<string>): void {
    this.isLossy = true;
    for (const key of keys) {
      this.tainted.add(key);
    }
  }
}

/** How a version of a lease is remembered. */
export function versionOf({ id, version, expireTime }: Lease): string {
  return `${id} ${version} ${expireTime}`;
}
