import { ClusterError } from '../domain/cluster-error.ts';
import { DataLoss } from '../domain/errors.ts';
import { attentionTime, hasEnded, isBeingIssued, type Lease } from '../domain/lease.ts';
import type { Ports } from '../ports/ports.ts';
import { abandon } from './abandon.ts';
import { revoke } from './revoke.ts';

/** A lease whose end has come while it is being issued is looked at again after this. */
const PENDING_POLL_MS = 1_000;

/**
 * What to do when the alarm of `lease` rings: takes it down where its time has come. Returns the time at which to ring
 * again, or undefined where it has ended. A cluster that does not confirm, and an access
 * that does not open, is noted on the lease, and tried again. Throws
 * Unavailable where the store is away.
 */
export async function expire(ports: Ports, lease: Lease): Promise<number | undefined> {
  const now = ports.clock.now();
  if (hasEnded(lease)) {
    return undefined;
  }
  if (isBeingIssued(lease, now)) {
    return Math.min(lease.issueDeadline, Math.max(lease.expireTime, now + PENDING_POLL_MS));
  }
  if (lease.state === 'ACTIVE' && lease.expireTime > now) {
    return lease.expireTime;
  }
  if (lease.state === 'REVOKING' && isForLater(ports, lease.nextTryTime, now)) {
    return lease.nextTryTime;
  }
  return takeDownNow(ports, lease);
}

/** A time that is further off than any wait was set by a clock that has been put back since. */
function isForLater({ policy }: Ports, time: number | undefined, now: number): time is number {
  const longestWait = Math.max(policy.retry.maxMs, policy.takeDownTimeoutMs, policy.settleMs + policy.issueTimeoutMs);
  return time !== undefined && time > now && time <= now + longestWait;
}

async function takeDownNow(ports: Ports, lease: Lease): Promise<number | undefined> {
  try {
    const after = lease.state === 'PENDING' ? await abandon(ports, lease) : await endInTime(ports, lease);
    return hasEnded(after) ? undefined : attentionTime(after);
  } catch (error) {
    if (!(error instanceof ClusterError || error instanceof DataLoss)) {
      throw error;
    }
    ports.log.info({ lease: lease.id, config: lease.config, err: error }, 'lease not taken down yet; will retry');
    return (await ports.leases.get(lease.id))?.nextTryTime;
  }
}

/** A lease that was renewed since it was read is not due any more. */
function endInTime(ports: Ports, lease: Lease): Promise<Lease> {
  return revoke(ports, lease, 'EXPIRED', {
    unless: ({ state, expireTime }) => state === 'ACTIVE' && expireTime > ports.clock.now(),
  });
}
