import { createHash } from 'node:crypto';
import { v7 as uuidv7 } from 'uuid';
import type { Access, Config } from '../domain/config.ts';
import { requireIntact, type StoredConfig } from '../domain/damaged-config.ts';
import { Aborted, AlreadyExists, FailedPrecondition } from '../domain/errors.ts';
import { endsWithToken, type Lease } from '../domain/lease.ts';
import { type LeaseRequest, planLease } from '../domain/plan-lease.ts';
import { MIN_TOKEN_SECONDS } from '../domain/ttl.ts';
import type { RequestKey } from '../ports/lease-store.ts';
import type { Ports } from '../ports/ports.ts';
import { currentTraceparent } from '../telemetry/span.ts';
import { accessesOf } from './accesses-of.ts';
import { awaitIssue } from './await-issue.ts';
import { furtherToken } from './further-token.ts';
import { type Grant, grant } from './grant.ts';
import { withFreshNames } from './name-taken.ts';

/** A grant, and the cluster that it is for. */
export interface IssuedLease extends Grant {
  access: Access;
}

/** How often a request is begun anew because the earlier call with its request_id failed. */
const MAX_BEGINNINGS = 3;

/**
 * Issues a lease on the `stored` config, the one that the request names, and returns its token, which is kept nowhere. A repeated request_id gets the same lease with a fresh
 * token, also while the first call is still running: then it waits for that. Throws InvalidArgument,
 * AlreadyExists, FailedPrecondition, Aborted, ResourceExhausted, DataLoss, a ClusterError or Unavailable; then nothing stays.
 */
export async function issueLease(
  ports: Ports,
  stored: StoredConfig,
  request: LeaseRequest,
  signal?: AbortSignal,
): Promise<IssuedLease> {
  const config = requireIntact(stored);
  for (let beginning = 0; beginning < MAX_BEGINNINGS; beginning++) {
    const result = await withFreshNames(() => begin(ports, config, request, signal));
    if (!('earlier' in result)) {
      const { id, namespace, principal } = result.lease;
      ports.log.info({ lease: id, config: config.name, namespace, principal }, 'lease issued');
      return { ...result, access: config.access };
    }
    const earlier = await awaitIssue(ports, result.earlier, signal);
    if (earlier?.endAs !== 'FAILED') {
      return again(ports, earlier ?? result.earlier, config);
    }
  }
  throw new Aborted('REQUEST_IN_PROGRESS', 'earlier calls with this request_id fail one after the other; try again');
}

function begin(
  ports: Ports,
  config: Config,
  request: LeaseRequest,
  signal: AbortSignal | undefined,
): Promise<Grant | { earlier: Lease }> {
  const pending = planLease(config, request, {
    id: uuidv7(),
    now: ports.clock.now(),
    purpose: 'lease',
    issueTimeoutMs: ports.policy.issueTimeoutMs,
    traceparent: currentTraceparent(),
  });
  return grant(ports, pending, config.access, { ...requestKey(request), ...(signal ? { signal } : {}) });
}

/** The fingerprint is of what the caller sent, so that a change of the config in between does not matter. */
function requestKey({ requestId, principal, ...body }: LeaseRequest): { request?: RequestKey } {
  if (requestId === undefined) {
    return {};
  }
  const canonical = JSON.stringify([body.config, body.ttlSeconds ?? null, body.namespace ?? null, body.audiences]);
  const fingerprint = createHash('sha256').update(canonical).digest('base64url');
  return { request: { principal, requestId, fingerprint } };
}

/** The answer to the first call may be lost: its lease lives, its token is gone. Another one for the same account. */
async function again(ports: Ports, lease: Lease, config: Config): Promise<IssuedLease> {
  const now = ports.clock.now();
  if (lease.state !== 'ACTIVE' || lease.expireTime <= now) {
    refuseReuse(lease);
  }
  requireTimeForToken(lease, config, now);
  // No new lease, but as much work for the cluster as a renewal.
  await ports.leases.admitRenewal(lease.principal);
  const [access] = await accessesOf(ports, lease);
  return { ...(await furtherToken(ports, lease, access, lease.expireTime, refuseReuse)), access };
}

/** Of a lease that is not ACTIVE, or at its end. */
function refuseReuse({ id, state }: Lease): never {
  const standing = state === 'ACTIVE' ? 'at its end' : state;
  throw new AlreadyExists('REQUEST_ID_REUSED', `this request_id was used for lease ${id}, which is ${standing}`);
}

/**
 * A lease that only the token's end can end would last longer with each further token, for none is shorter than
 * MIN_TOKEN_SECONDS. It may last max_ttl from the last moment at which the first call may have minted its own.
 */
function requireTimeForToken(lease: Lease, { maxTtlSeconds }: Config, now: number): void {
  if (endsWithToken(lease) && now + MIN_TOKEN_SECONDS * 1000 > lease.issueDeadline + maxTtlSeconds * 1000) {
    throw new FailedPrecondition(
      'LEASE_AT_MAX_TTL',
      `this request_id was used for lease ${lease.id}, and Kubernetes mints no token that ends with it; issue a new one`,
    );
  }
}
