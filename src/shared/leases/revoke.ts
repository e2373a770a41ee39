import { Aborted, NotFound } from '../domain/errors.ts';
import {
  beginRevoking,
  type EndedState,
  end,
  hasEnded,
  isBeingIssued,
  type Lease,
  noteFailure,
} from '../domain/lease.ts';
import type { Ports } from '../ports/ports.ts';
import { inSpan, linkTo } from '../telemetry/span.ts';
import { clearAlarm } from './clear-alarm.ts';
import { takeDown } from './take-down.ts';

/** How often a lease is read again when somebody else changes it at the same time. */
const MAX_CONFLICTS = 10;

/**
 * Takes a lease down and returns it as it ended: the one way to do so, for expiry, for a caller and for the undoing of
 * a failed issue. Safe to repeat and to run twice at once. Where the cluster does not confirm, the lease stays REVOKING,
 * the alarm rings again soon, and the error is thrown. A lease that is REVOKING already keeps what it will end as.
 */
export async function revoke(ports: Ports, leaseId: string, endAs: EndedState): Promise<Lease> {
  const found = await ports.leases.get(leaseId);
  if (!found) {
    throw new NotFound('lease', leaseId);
  }
  if (hasEnded(found)) {
    return found;
  }
  if (endAs === 'REVOKED' && isBeingIssued(found, ports.now())) {
    throw new Aborted('LEASE_BEING_ISSUED', `lease ${leaseId} is still being issued; try again when it is ACTIVE`);
  }
  const attributes = { 'leasehold.lease.id': found.id, 'leasehold.config': found.config };
  return inSpan('lease.revoke', { attributes, links: linkTo(found.traceparent) }, async (span) => {
    const revoking = await change(ports, found, (lease) =>
      lease.state === 'REVOKING' ? lease : beginRevoking(lease, endAs),
    );
    if (!hasEnded(revoking)) {
      await takeDownOrNote(ports, revoking);
    }
    const ended = await change(ports, revoking, (lease) => end({ ...lease, endAs: lease.endAs ?? endAs }, ports.now()));
    span.setAttribute('leasehold.lease.state', ended.state);
    await clearAlarm(ports, ended.id);
    return ended;
  });
}

async function takeDownOrNote(ports: Ports, lease: Lease): Promise<void> {
  try {
    await takeDown(ports, lease);
  } catch (error) {
    await change(ports, lease, (current) => noteFailure(current, (error as Error).message));
    await ports.alarm.move(lease.id, ports.now());
    throw error;
  }
}

/** Stores `step(lease)`; where somebody else was faster, reads again and repeats. An ended lease is returned as it is. */
async function change(ports: Ports, lease: Lease, step: (lease: Lease) => Lease): Promise<Lease> {
  let current = lease;
  for (let conflicts = 0; conflicts < MAX_CONFLICTS; conflicts++) {
    const next = hasEnded(current) ? current : step(current);
    if (next === current || (await ports.leases.save(next))) {
      return next;
    }
    const fresh = await ports.leases.get(lease.id);
    if (!fresh) {
      throw new NotFound('lease', lease.id);
    }
    current = fresh;
  }
  throw new Aborted('LEASE_CHANGED', `lease ${lease.id} is being changed by others; read it and try again`);
}
