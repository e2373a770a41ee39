import { type EndedState, hasEnded, isBeingIssued, type Lease } from '../domain/lease.ts';
import type { Ports } from '../ports/ports.ts';
import { revoke } from './revoke.ts';

/** A lease that falls due while it is being issued is looked at again after this. */
const PENDING_POLL_MS = 1_000;

/**
 * What to do when the alarm of a lease rings: takes it down where its time has come, and returns undefined. Returns the
 * time at which to ring again where it is not due yet. Throws where the cluster does not confirm; then ring again soon.
 */
export async function expire(ports: Ports, leaseId: string): Promise<number | undefined> {
  const lease = await ports.leases.get(leaseId);
  if (!lease || hasEnded(lease)) {
    return undefined;
  }
  if (isBeingIssued(lease, ports.now())) {
    return Math.max(lease.expireTime, ports.now() + PENDING_POLL_MS);
  }
  if (lease.state !== 'REVOKING' && lease.expireTime > ports.now()) {
    return lease.expireTime;
  }
  const ended = await revoke(ports, leaseId, endFor(lease));
  ports.log.info({ lease: ended.id, config: ended.config, state: ended.state }, 'lease ended');
  return undefined;
}

/** A lease that is still PENDING at its expiry was left by a server that died: its token never went out. */
function endFor(lease: Lease): EndedState {
  return lease.state === 'PENDING' ? 'FAILED' : 'EXPIRED';
}
