import { abortable } from 'abort-controller-x';
import type { Lease } from '../domain/lease.ts';
import type { Ports } from '../ports/ports.ts';
import { abandon } from './abandon.ts';

/** Pauses between two looks at a lease double: issuing mostly takes less than the first. */
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 500;

type Waits = Map<string, Promise<Lease | undefined>>;

/** Those of each store under way, by lease. Each ends with the deadline of the lease at the latest. */
const waitsOf = new WeakMap<Ports['leases'], Waits>();

/**
 * Waits until the call that issues `lease` is done with it, and returns the lease as it stands then; undefined where it
 * is forgotten. Where the issuer must have died, its lease is undone. Rejects where the caller gives up. However many
 * calls wait for one lease, the store is asked as for one.
 */
export function awaitIssue(ports: Ports, lease: Lease, signal?: AbortSignal): Promise<Lease | undefined> {
  const waits: Waits = waitsOf.get(ports.leases) ?? new Map();
  waitsOf.set(ports.leases, waits);
  const wait = waits.get(lease.id) ?? untilIssued(ports, lease).finally(() => waits.delete(lease.id));
  waits.set(lease.id, wait);
  return signal ? abortable(signal, wait) : wait;
}

async function untilIssued(ports: Ports, lease: Lease): Promise<Lease | undefined> {
  let current: Lease | undefined = lease;
  let pauseMs = FIRST_PAUSE_MS;
  while (current?.state === 'PENDING') {
    if (ports.clock.now() >= current.issueDeadline) {
      return abandon(ports, current);
    }
    await ports.clock.sleep(pauseMs);
    pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
    current = await ports.leases.get(lease.id);
  }
  return current;
}
