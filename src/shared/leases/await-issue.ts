import type { Lease } from '../domain/lease.ts';
import type { Ports } from '../ports/ports.ts';
import { abandon } from './abandon.ts';

const POLL_MS = 50;

/**
 * Waits until the call that issues `lease` is done with it, and returns the lease as it stands then; undefined where it
 * is forgotten. Where the issuer must have died, its lease is undone. Rejects where the caller gives up.
 */
export async function awaitIssue(ports: Ports, lease: Lease, signal?: AbortSignal): Promise<Lease | undefined> {
  let current: Lease | undefined = lease;
  while (current?.state === 'PENDING') {
    if (ports.clock.now() >= current.issueDeadline) {
      return abandon(ports, current);
    }
    await ports.clock.sleep(POLL_MS, signal);
    current = await ports.leases.get(lease.id);
  }
  return current;
}
