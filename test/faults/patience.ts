import type { Lease } from '../../src/shared/domain/lease.ts';

// Settings under which a fault is over soon, and the bound that follows from them.

const SETTLE_S = 3;
const SWEEP_S = 1;
const CALL_S = 10;
const CONNECT_S = 5;
const RETRY_MAX_S = 1;

export const SHORT_TIMES: Record<string, string> = {
  LEASEHOLD_CLUSTER_CALL_TIMEOUT: `${CALL_S}`,
  LEASEHOLD_CLUSTER_CONNECT_TIMEOUT: `${CONNECT_S}`,
  LEASEHOLD_SETTLE_TIME: `${SETTLE_S}`,
  LEASEHOLD_SWEEP_INTERVAL: `${SWEEP_S}`,
  LEASEHOLD_READ_BACK_INTERVAL: '2',
  LEASEHOLD_RETRY_INITIAL: '0.2',
  LEASEHOLD_RETRY_MAX: `${RETRY_MAX_S}`,
  LEASEHOLD_STALLED_AFTER: '3',
};

/** A job whose worker died is taken over after so long at the latest (worker/worker-options.ts). */
const TAKEOVER_S = 20;

/** The sweep leaves an alarm so much time to ring (leases/sweep.ts). */
const SWEEP_GRACE_S = 5;

/** A cluster that failed is given a rest of so long at most (kubernetes/cluster-outage.ts). */
const REST_S = 15;

/** How long after its end a lease may live, while its cluster and the store answer. */
export const BOUND_MS = (TAKEOVER_S + SWEEP_GRACE_S + SWEEP_S + RETRY_MAX_S + REST_S + 2 * (CALL_S + CONNECT_S)) * 1000;

/** When a lease should be over: a half-issued one is left alone while its issuer, or its last call, may still be at work. */
export function dueEnd(lease: Lease): number {
  const undoable = lease.state === 'ACTIVE' ? 0 : lease.issueDeadline + SETTLE_S * 1000;
  return Math.max(lease.expireTime, undoable, lease.settleTime ?? 0);
}
