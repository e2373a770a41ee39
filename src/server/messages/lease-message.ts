import { type Credential, Lease as LeaseMessage, LeaseState as StateMessage } from '../../gen/leasehold/v1/lease.ts';
import type { Lease, LeaseState } from '../../shared/domain/lease.ts';
import type { IssuedLease } from '../../shared/leases/issue.ts';
import { tlsMessage } from './config-message.ts';
import { dateOf } from './date.ts';
import { durationOf } from './duration.ts';

const STATES = {
  PENDING: StateMessage.LEASE_STATE_PENDING,
  ACTIVE: StateMessage.LEASE_STATE_ACTIVE,
  REVOKING: StateMessage.LEASE_STATE_REVOKING,
  EXPIRED: StateMessage.LEASE_STATE_EXPIRED,
  REVOKED: StateMessage.LEASE_STATE_REVOKED,
  FAILED: StateMessage.LEASE_STATE_FAILED,
} as const satisfies Record<LeaseState, StateMessage>;

/** A lease as callers see it; it holds no secret. */
export function leaseMessage(lease: Lease): LeaseMessage {
  return LeaseMessage.fromPartial({
    id: lease.id,
    config: lease.config,
    configUid: lease.configUid,
    state: stateMessage(lease.state),
    namespace: lease.namespace,
    serviceAccount: lease.serviceAccount,
    ttl: durationOf(lease.ttlSeconds),
    audiences: [...lease.audiences],
    createTime: new Date(lease.createTime),
    expireTime: new Date(lease.expireTime),
    tokenExpireTime: dateOf(lease.tokenExpireTime),
    endTime: dateOf(lease.endTime),
    objects: lease.objects.map((object) => ({
      kind: object.kind,
      namespace: object.kind === 'ClusterRoleBinding' ? '' : object.namespace,
      name: object.name,
      uid: object.uid ?? '',
    })),
    lastError: lease.lastError ?? '',
    principal: lease.principal,
    tryCount: lease.tries ?? 0,
    nextTryTime: lease.state === 'REVOKING' ? dateOf(lease.nextTryTime) : undefined,
    stalled: lease.stalled ?? false,
    forced: lease.forced ?? false,
  });
}

/** What the caller receives once: here, and nowhere else, the token leaves its wrapper. */
export function credentialMessage({ lease, minted, access }: IssuedLease): Credential {
  return {
    token: minted.token.reveal(),
    serviceAccount: lease.serviceAccount,
    namespace: lease.namespace,
    accessEndTime: new Date(lease.expireTime),
    tokenExpireTime: new Date(minted.expireTime),
    ...(access.kind === 'direct'
      ? { clusterUrl: access.url, tls: tlsMessage(access.tls) }
      : { clusterUrl: '', tls: undefined }),
  };
}

export function stateMessage(state: LeaseState): StateMessage {
  return STATES[state];
}

/** The domain's word for a state of the proto; undefined for one that it does not know. */
export function stateOf(message: number): LeaseState | undefined {
  const entry = Object.entries(STATES).find(([, value]) => value === message);
  return entry?.[0] as LeaseState | undefined;
}
