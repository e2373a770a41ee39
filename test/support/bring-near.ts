import type { Lease } from '../../src/shared/domain/lease.ts';
import { change } from '../../src/shared/leases/change.ts';
import type { Ports } from '../../src/shared/ports/ports.ts';

/**
 * Moves the end of a lease near, as if its time had passed: so it may be long while a slow machine prepares what happens to it
 * then. Returns by how much. `issueDeadline`: until when its issuer may be at work, where that is to come nearer, too.
 */
export async function bringNear(
  ports: Ports,
  lease: Lease,
  at: number,
  { issueDeadline = Number.POSITIVE_INFINITY }: { issueDeadline?: number } = {},
): Promise<number> {
  let by = 0;
  await change(ports, lease, (current) => {
    by = current.expireTime - at;
    return {
      ...current,
      version: current.version + 1,
      expireTime: at,
      issueDeadline: Math.min(current.issueDeadline, issueDeadline),
    };
  });
  return by;
}
