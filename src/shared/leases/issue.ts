import { createHash } from 'node:crypto';
import { v7 as uuidv7 } from 'uuid';
import type { Access } from '../domain/config.ts';
import { Aborted, AlreadyExists } from '../domain/errors.ts';
import { followToken, type Lease } from '../domain/lease.ts';
import { type LeaseRequest, planLease } from '../domain/plan-lease.ts';
import { MIN_TOKEN_SECONDS } from '../domain/ttl.ts';
import type { RequestKey } from '../ports/lease-store.ts';
import type { Ports } from '../ports/ports.ts';
import { currentTraceparent } from '../telemetry/span.ts';
import { findConfig } from './find-config.ts';
import { type Grant, grant } from './grant.ts';

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
    throw new Aborted(
      'REQUEST_IN_PROGRESS',
      `an earlier call with this request_id is still running (lease ${lease.id})`,
    );
  }
  const access = await ports.configs.getAccess(lease.accessId);
  if (lease.state !== 'ACTIVE' || !access) {
    throw new AlreadyExists(
      'REQUEST_ID_REUSED',
      `this request_id was used for lease ${lease.id}, which is ${lease.state}`,
    );
  }
  const isStatic = lease.objects.length === 0;
  const remainingSeconds = Math.ceil((lease.expireTime - ports.now()) / 1000);
  const minted = await ports.clusters.at(access).mintToken(
    { namespace: lease.namespace, name: lease.serviceAccount },
    {
      audiences: lease.audiences,
      seconds: isStatic ? lease.ttlSeconds : Math.max(remainingSeconds, MIN_TOKEN_SECONDS),
    },
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
