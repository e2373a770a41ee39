import { isDeepStrictEqual } from 'node:util';
import { type Access, type Config, clusterOf, namespacesOf } from './config.ts';
import { FailedPrecondition } from './errors.ts';
import { endsWithToken, type Lease } from './lease.ts';
import { planObjects } from './plan-lease.ts';
import { chooseTtlSeconds, MIN_TOKEN_SECONDS } from './ttl.ts';

/** A lease, how its cluster is reached, and its config, which may point to another cluster by now. */
export interface Renewed {
  lease: Lease;
  access: Access;
  /** undefined: deleted. */
  config: Config | undefined;
}

/**
 * When access should end after a renewal: `ttl` from now, but never past the config's max_ttl from the issue, and never
 * sooner than it did. Throws InvalidArgument (ttl) and FailedPrecondition: the lease is not ACTIVE, the config would not
 * grant it any more, or its next token would outlast max_ttl.
 */
export function planRenewal(renewed: Renewed, ttlSeconds: number | undefined, now: number): number {
  const { lease, access, config } = renewed;
  if (lease.state !== 'ACTIVE' || lease.expireTime <= now) {
    refuseRenewal(lease);
  }
  if (!config || clusterOf(config.access) !== clusterOf(access) || !stillGrants(config, lease)) {
    throw new FailedPrecondition(
      'LEASE_NOT_GRANTED_ANY_MORE',
      `config ${JSON.stringify(lease.config)} has changed and would not grant lease ${lease.id} as it is; issue a new one`,
    );
  }
  const latestEnd = lease.createTime + config.maxTtlSeconds * 1000;
  if (endsWithToken(lease) && latestEnd < now + MIN_TOKEN_SECONDS * 1000) {
    throw new FailedPrecondition(
      'LEASE_AT_MAX_TTL',
      `lease ${lease.id} may last until ${new Date(latestEnd).toISOString()} (max_ttl), and Kubernetes mints no token for less than ${MIN_TOKEN_SECONDS} s; issue a new one`,
    );
  }
  const wanted = now + chooseTtlSeconds(config, ttlSeconds) * 1000;
  return Math.max(lease.expireTime, Math.min(wanted, latestEnd));
}

/** Of a lease that is not ACTIVE, or at its end. */
export function refuseRenewal({ id, state }: Lease): never {
  const standing = state === 'ACTIVE' ? 'at its end' : state;
  throw new FailedPrecondition('LEASE_NOT_ACTIVE', `lease ${id} is ${standing}; only an ACTIVE one can be renewed`);
}

/** Whether a lease that is issued now could be like this one. */
function stillGrants(config: Config, lease: Lease): boolean {
  const { credential } = config;
  const planned = planObjects(credential, lease.namespace, lease.serviceAccount);
  const has = lease.objects.map(({ uid: _, ...object }) => object);
  return (
    config.uid === lease.configUid &&
    namespacesOf(credential).includes(lease.namespace) &&
    lease.audiences.every((audience) => config.audiences.includes(audience)) &&
    (credential.kind === 'static'
      ? credential.serviceAccount === lease.serviceAccount && planned.length === has.length
      : isDeepStrictEqual(planned, has))
  );
}
