import { clusterOf } from '../shared/domain/config.ts';
import type { Lease } from '../shared/domain/lease.ts';
import { ownAccess } from '../shared/leases/own-access.ts';
import type { Ports } from '../shared/ports/ports.ts';
import { Claim } from './shares.ts';

/** Who holds the place in which a lease is taken down. Where its access is lost, its cluster is not known. */
export async function claimOf(ports: Ports, lease: Lease): Promise<Claim> {
  const { accessId, configUid, principal } = lease;
  const access = await ownAccess(ports, lease);
  return new Claim({ cluster: access ? clusterOf(access) : accessId, config: configUid, principal });
}
