import type { RoleRef } from './config.ts';

export type EndedState = 'EXPIRED' | 'REVOKED' | 'FAILED';
export type LeaseState = 'PENDING' | 'ACTIVE' | 'REVOKING' | EndedState;

export const LEASE_STATES: readonly LeaseState[] = ['PENDING', 'ACTIVE', 'REVOKING', 'EXPIRED', 'REVOKED', 'FAILED'];

/** An object in the cluster that is made for a lease. Its uid is known once it was created. */
export type LeaseObject =
  | { kind: 'ServiceAccount'; namespace: string; name: string; uid?: string | undefined }
  | { kind: 'RoleBinding'; namespace: string; name: string; role: RoleRef; uid?: string | undefined }
  | { kind: 'ClusterRoleBinding'; name: string; role: RoleRef; uid?: string | undefined };

/** One grant. Holds all that is needed to take it down, and no secret. */
export interface Lease {
  /** UUID version 7: sorts by time of issue; names of objects derive from it. */
  id: string;
  /** Counts the changes of the record, from 1: two writers cannot overwrite each other. */
  version: number;
  /** A trial lease is made while a config is created, and taken down at once; nobody holds its token. */
  purpose: 'lease' | 'trial';
  config: string;
  configUid: string;
  accessId: string;
  state: LeaseState;
  /** What REVOKING turns into. */
  endAs?: EndedState | undefined;
  namespace: string;
  serviceAccount: string;
  objects: readonly LeaseObject[];
  audiences: readonly string[];
  ttlSeconds: number;
  createTime: number;
  /** When access ends. */
  expireTime: number;
  /** When the token itself expires, once it was minted. */
  tokenExpireTime?: number | undefined;
  endTime?: number | undefined;
  lastError?: string | undefined;
  /** The caller's id of the request, while it leads back to this lease. */
  requestId?: string | undefined;
  /** W3C traceparent of the issuance, for the links of later spans. */
  traceparent?: string | undefined;
}

/**
 * A PENDING lease belongs to the call that issues it, so that nobody takes down what is still being made. Longer than
 * any call can take: each of its steps has a deadline. After it, the issuer has died.
 */
const ISSUE_WINDOW_MS = 5 * 60 * 1000;

export function isBeingIssued(lease: Lease, now: number): boolean {
  return lease.state === 'PENDING' && now < lease.createTime + ISSUE_WINDOW_MS;
}

/** When access should end as it was asked for. A static lease may outlast it by the least life of a token. */
export function plannedEnd(lease: Lease): number {
  return lease.createTime + lease.ttlSeconds * 1000;
}

export function hasEnded(lease: Lease): boolean {
  return lease.endTime !== undefined;
}

/** What the cluster gave: when its token expires, and the uids of what it made. */
export interface Issued {
  tokenExpireTime: number;
  objects: readonly LeaseObject[];
}

/**
 * PENDING -> ACTIVE. The lease follows the token that the cluster gave: a static lease ends with it; a dynamic one ends
 * with its objects, and earlier where the token is of shorter life than was asked.
 */
export function activate(lease: Lease, issued: Issued): Lease {
  const expireTime =
    lease.objects.length === 0 ? issued.tokenExpireTime : Math.min(lease.expireTime, issued.tokenExpireTime);
  return { ...next(lease), state: 'ACTIVE', expireTime, ...issued };
}

/** ACTIVE stays so: a repeated request got a further token. A static lease follows the newest, a dynamic one stays. */
export function followToken(lease: Lease, tokenExpireTime: number): Lease {
  const newest = Math.max(lease.tokenExpireTime ?? 0, tokenExpireTime);
  const expireTime = lease.objects.length === 0 ? newest : lease.expireTime;
  return { ...next(lease), expireTime, tokenExpireTime: newest };
}

/** PENDING or ACTIVE -> REVOKING. */
export function beginRevoking(lease: Lease, endAs: EndedState): Lease {
  return { ...next(lease), state: 'REVOKING', endAs };
}

/** REVOKING -> its end, once every object is confirmed gone. */
export function end(lease: Lease & { endAs: EndedState }, now: number): Lease {
  return { ...next(lease), state: lease.endAs, endTime: now, lastError: undefined };
}

/** REVOKING stays so: the take-down failed and will be retried. */
export function noteFailure(lease: Lease, lastError: string): Lease {
  return { ...next(lease), lastError };
}

function next(lease: Lease): Lease {
  return { ...lease, version: lease.version + 1 };
}
