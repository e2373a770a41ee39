import type { Access } from '../domain/config.ts';
import { Aborted } from '../domain/errors.ts';
import { followToken, type Lease } from '../domain/lease.ts';
import type { Ports } from '../ports/ports.ts';
import type { Grant } from './grant.ts';
import { mint } from './mint.ts';

/**
 * Another token for the account of an ACTIVE lease, for access until `wantedEnd`. It leaves only once the lease's new end
 * is recorded; the alarm for the old one finds that it is not due yet. Throws Aborted where the lease changed meanwhile, a ClusterError or Unavailable.
 */
export async function furtherToken(ports: Ports, lease: Lease, access: Access, wantedEnd: number): Promise<Grant> {
  const seconds = Math.ceil((wantedEnd - ports.clock.now()) / 1000);
  const minted = await mint(ports.clusters.at(access), lease, seconds);
  const followed = followToken(lease, minted.expireTime, wantedEnd);
  if (!(await ports.leases.save(followed))) {
    throw new Aborted('LEASE_CHANGED', `lease ${lease.id} changed while a token was minted for it`);
  }
  return { lease: followed, minted };
}
