import { requireIntact } from '../domain/damaged-config.ts';
import type { Lease } from '../domain/lease.ts';
import { planRenewal, refuseRenewal } from '../domain/plan-renewal.ts';
import type { Ports } from '../ports/ports.ts';
import { inSpan, linkTo } from '../telemetry/span.ts';
import { accessesOf } from './accesses-of.ts';
import { furtherToken } from './further-token.ts';
import type { IssuedLease } from './issue.ts';

/**
 * Renews a lease: a new token for the same account, and a later end, never past the config's max_ttl from the issue.
 * Kubernetes cannot make a token last longer; the old one stays good until its own end, or the lease's. Throws
 * InvalidArgument, FailedPrecondition, Aborted, DataLoss, a ClusterError or Unavailable; then nothing has changed.
 */
export async function renewLease(ports: Ports, lease: Lease, ttlSeconds: number | undefined): Promise<IssuedLease> {
  const { id } = lease;
  const attributes = { 'leasehold.lease.id': id, 'leasehold.config': lease.config };
  return inSpan('lease.renew', { attributes, links: linkTo(lease.traceparent) }, async () => {
    const [[access], config] = await Promise.all([accessesOf(ports, lease), ports.configs.get(lease.config)]);
    const wantedEnd = planRenewal(
      { lease, access, config: config && requireIntact(config) },
      ttlSeconds,
      ports.clock.now(),
    );
    const renewed = await furtherToken(ports, lease, access, wantedEnd, refuseRenewal);
    const { config: name, principal, expireTime } = renewed.lease;
    ports.log.info({ lease: id, config: name, principal, until: new Date(expireTime).toISOString() }, 'lease renewed');
    return { ...renewed, access };
  });
}
