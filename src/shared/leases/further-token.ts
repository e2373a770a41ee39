import type { Access } from '../domain/config.ts';
import { followToken, type Lease } from '../domain/lease.ts';
import type { Ports } from '../ports/ports.ts';
import { change } from './change.ts';
import { useForLease } from './cluster-use.ts';
import type { Grant } from './grant.ts';
import { mint } from './mint.ts';

/**
 * Another token for the account of an ACTIVE lease, for access until `wantedEnd`. It leaves only once the lease's new end
 * is recorded; the alarm for the old one finds that it is not due yet. Where others renew the lease at the same moment, the
 * token is recorded on what they made of it. Where it is no longer ACTIVE by then, the token leaves for nobody, and
 * `refuse` throws. Throws what that throws, Aborted, a ClusterError or Unavailable.
 */
export async function furtherToken(
  ports: Ports,
  lease: Lease,
  access: Access,
  wantedEnd: number,
  refuse: (current: Lease) => never,
): Promise<Grant> {
  const seconds = Math.ceil((wantedEnd - ports.clock.now()) / 1000);
  const minted = await mint(ports.clusters.at(access, useForLease(lease, 'issue')), lease, seconds);
  const followed = await change(ports, lease, (current) =>
    current.state === 'ACTIVE' ? followToken(current, minted.expireTime, wantedEnd) : current,
  );
  if (followed.state !== 'ACTIVE') {
    refuse(followed);
  }
  return { lease: followed, minted };
}
