import { createHash } from 'node:crypto';
import { v7 as uuidv7 } from 'uuid';
import type { Access } from '../domain/config.ts';
import { Aborted, AlreadyExists } from '../domain/errors.ts';
import { followToken, isBeingIssued, type Lease, plannedEnd } from '../domain/lease.ts';
import { type LeaseRequest, planLease } from '../domain/plan-lease.ts';
import { tokenSeconds } from '../domain/ttl.ts';
import type { RequestKey } from '../ports/lease-store.ts';
import type { Ports } from '../ports/ports.ts';
import { currentTraceparent } from '../telemetry/span.ts';
import { accessesOf } from './accesses-of.ts';
import { findConfig } from './find-config.ts';
import { type Grant, grant } from './grant.ts';
import { revoke } from './revoke.ts';

/** A grant, and the cluster that it is for. */
export interface IssuedLease extends Grant {
  access: Access;
}

/**
 * Issues a lease and returns its token, which is kept nowhere. A repeated request_id gets the same lease with a fresh
 * token. Throws InvalidArgument, NotFound, AlreadyExists, Aborted, a ClusterError or Unavailable; then nothing stays.
 */
export async function issueLease(ports: Ports, request: LeaseRequest, signal?: AbortSignal): Promise<IssuedLease> {
  const config = await findConfig(ports, request.config);
  const pending = planLease(config, request, {
    id: uuidv7(),
    now: ports.now(),
    purpose: 'lease',
    traceparent: currentTraceparent(),
  });
  const result = await grant(ports, pending, config.access, {
    ...requestKey(request),
    ...(signal ? { signal } : {}),
  });
  if ('earlier' in result) {
    return mintAgain(ports, result.earlier);
  }
  const { lease } = result;
  ports.log.info({ lease: lease.id, config: lease.config, namespace: lease.namespace }, 'lease issued');
  return { ...result, access: config.access };
}

/** The fingerprint is of what the caller sent, so that a change of the config in between does not matter. */
function requestKey({ requestId, ...body }: LeaseRequest): { request?: RequestKey } {
  if (requestId === undefined) {
    return {};
  }
  const canonical = JSON.stringify([body.config, body.ttlSeconds ?? null, body.namespace ?? null, body.audiences]);
  return { request: { requestId, fingerprint: createHash('sha256').update(canonical).digest('base64url') } };
}

/** The answer to the first call may be lost: its lease lives, its token is gone. Another one for the same account. */
async function mintAgain(ports: Ports, lease: Lease): Promise<IssuedLease> {
  if (lease.state === 'PENDING' || lease.endAs === 'FAILED') {
    await giveUpIfAbandoned(ports, lease);
    throw new Aborted(
      'REQUEST_IN_PROGRESS',
      `an earlier call with this request_id did not end yet (lease ${lease.id})`,
    );
  }
  const endTime = Math.min(plannedEnd(lease), lease.expireTime);
  const remainingSeconds = Math.ceil((endTime - ports.now()) / 1000);
  if (lease.state !== 'ACTIVE' || remainingSeconds <= 0) {
    const standing = lease.state === 'ACTIVE' ? 'at its end' : lease.state;
    throw new AlreadyExists(
      'REQUEST_ID_REUSED',
      `this request_id was used for lease ${lease.id}, which is ${standing}`,
    );
  }
  const [access] = await accessesOf(ports, lease);
  const minted = await ports.clusters
    .at(access)
    .mintToken(
      { namespace: lease.namespace, name: lease.serviceAccount },
      { audiences: lease.audiences, seconds: tokenSeconds(remainingSeconds) },
    );
  const followed = followToken(lease, minted.expireTime);
  if (!(await ports.leases.save(followed))) {
    throw new Aborted('LEASE_CHANGED', `lease ${lease.id} changed while a token was minted for it`);
  }
  if (followed.expireTime !== lease.expireTime) {
    await ports.alarm.move(lease.id, followed.expireTime);
  }
  return { lease: followed, minted, access };
}

/** Where the issuer has died, its lease is undone, and the request id is free for the caller's next try. */
async function giveUpIfAbandoned(ports: Ports, lease: Lease): Promise<void> {
  if (lease.state === 'PENDING' && !isBeingIssued(lease, ports.now())) {
    await revoke(ports, lease.id, 'FAILED');
  }
}
