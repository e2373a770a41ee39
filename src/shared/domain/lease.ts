import type { RoleRef } from './config.ts';
import { shortLine } from './shorten.ts';

export type EndedState = 'EXPIRED' | 'REVOKED' | 'FAILED';
export type LeaseState = 'PENDING' | 'ACTIVE' | 'REVOKING' | EndedState;

/** Of leases that have not ended. */
export const LIVE_STATES: readonly LeaseState[] = ['PENDING', 'ACTIVE', 'REVOKING'];

export const ENDED_STATES: readonly EndedState[] = ['EXPIRED', 'REVOKED', 'FAILED'];

export const LEASE_STATES: readonly LeaseState[] = [...LIVE_STATES, ...ENDED_STATES];

/**
 * Characters of `lastError`, of three bytes at most: whoever writes longer errors, such as a gateway of a tenant, must
 * not make records large.
 */
export const MAX_LAST_ERROR = 1_000;

/** An object in the cluster that is made for a lease. Its uid is known once it was created. */
export type LeaseObject =
  | { kind: 'ServiceAccount'; namespace: string; name: string; uid?: string | undefined }
  | { kind: 'Secret'; namespace: string; name: string; uid?: string | undefined }
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
  /** Who asked for it. */
  principal: string;
  config: string;
  configUid: string;
  /** How its cluster is reached where the config does not say: the access of its issue, or one that came after it. */
  accessId: string;
  /** The one before that, where the config has left the cluster. */
  formerAccessId?: string | undefined;
  state: LeaseState;
  /** What REVOKING turns into. */
  endAs?: EndedState | undefined;
  namespace: string;
  serviceAccount: string;
  objects: readonly LeaseObject[];
  /** metadata.uid of `namespace`, read after all objects were created; undefined where it could not be read. */
  namespaceUid?: string | undefined;
  audiences: readonly string[];
  ttlSeconds: number;
  createTime: number;
  /**
   * A PENDING lease belongs to the call that issues it until then, so that nobody takes down what is still being made.
   * After it, the issuer has died: each of its steps has a deadline.
   */
  issueDeadline: number;
  /** When access ends. */
  expireTime: number;
  /** When the token itself expires, once it was minted. */
  tokenExpireTime?: number | undefined;
  /** Further tokens went out after that of the issue. */
  hasFurtherTokens?: boolean | undefined;
  endTime?: number | undefined;
  /** REVOKING: until then a creation whose outcome is unknown may still take effect; it does not end before. */
  settleTime?: number | undefined;
  /** REVOKING: how often taking it down has failed, why at last, and when it is tried again. */
  tries?: number | undefined;
  lastError?: string | undefined;
  nextTryTime?: number | undefined;
  /** Taking it down has failed so often that somebody should look. It is retried all the same. */
  stalled?: boolean | undefined;
  /** An operator ended it though its objects were not confirmed gone. `lastError` says why they were not. */
  forced?: boolean | undefined;
  /** The caller's id of the request, while it leads back to this lease. */
  requestId?: string | undefined;
  /** W3C traceparent of the issuance, for the links of later spans. */
  traceparent?: string | undefined;
}

export function isBeingIssued(lease: Lease, now: number): boolean {
  return lease.state === 'PENDING' && now < lease.issueDeadline;
}

export function hasEnded(lease: Lease): boolean {
  return lease.endTime !== undefined;
}

/** Nothing in the cluster carries its token but the account itself, so only the token's own end can end it. */
export function endsWithToken(lease: Lease): boolean {
  return lease.objects.length === 0;
}

/** Whether an object of it may still appear that was asked for, and not answered. */
export function isSettling(lease: Lease, now: number): lease is Lease & { settleTime: number } {
  return !endsWithToken(lease) && lease.settleTime !== undefined && lease.settleTime > now;
}

/** When somebody must look at a lease that lives, if nobody did before. */
export function attentionTime(lease: Lease): number {
  switch (lease.state) {
    case 'PENDING':
      // It may be ACTIVE by its end, and an alarm that is set already is not set again.
      return Math.min(lease.issueDeadline, lease.expireTime);
    case 'REVOKING':
      return lease.nextTryTime ?? lease.expireTime;
    default:
      return lease.expireTime;
  }
}

/** What of a lease stands in its cluster, or may still appear there. */
export interface Standing {
  /** In the order of the plan, each with its uid where that is known. */
  objects: readonly LeaseObject[];
  namespaceUid: string | undefined;
}

/** What the cluster gave: when its token expires, and what it made. */
export interface Issued extends Standing {
  tokenExpireTime: number;
}

/**
 * PENDING -> ACTIVE. The lease follows the token that the cluster gave: one without objects ends with it; one with
 * objects ends when they go, and earlier where the token is of shorter life than was asked.
 */
export function activate(lease: Lease, issued: Issued): Lease {
  const expireTime = endsWithToken(lease) ? issued.tokenExpireTime : Math.min(lease.expireTime, issued.tokenExpireTime);
  return { ...next(lease), state: 'ACTIVE', expireTime, ...issued };
}

/** Whether others hold a token of the lease besides the caller of its issue. */
export function hasFurtherHolders(lease: Lease): boolean {
  return lease.state === 'ACTIVE' && lease.hasFurtherTokens === true;
}

/**
 * ACTIVE stays so: a further token went out, for access until `wantedEnd`. The end never comes nearer, and follows the
 * token as in `activate`. Always a new version, also where it says nothing new: to store it shows that the lease is still
 * ACTIVE when the token leaves.
 */
export function followToken(lease: Lease, tokenExpireTime: number, wantedEnd: number): Lease {
  const reached = endsWithToken(lease) ? tokenExpireTime : Math.min(wantedEnd, tokenExpireTime);
  return {
    ...next(lease),
    expireTime: Math.max(lease.expireTime, reached),
    hasFurtherTokens: true,
    tokenExpireTime: Math.max(lease.tokenExpireTime ?? 0, tokenExpireTime),
  };
}

/** Its state stays as it is: its cluster is reached by another access from now on. */
export function reachBy(lease: Lease, accessId: string): Lease {
  return { ...next(lease), accessId, formerAccessId: lease.accessId };
}

/** PENDING or ACTIVE -> REVOKING, to be looked at again at `nextTryTime` if whoever began dies. */
export function beginRevoking(
  lease: Lease,
  endAs: EndedState,
  how: { nextTryTime: number; settleTime?: number | undefined } & Partial<Standing>,
): Lease {
  return { ...next(lease), state: 'REVOKING', endAs, ...how };
}

/**
 * REVOKING stays so: its issuer, who was taken for dead, says which of its objects were never made. No uid is added, since
 * somebody may be taking it down by the record as it is.
 */
export function leaveOutUnmade(lease: Lease, { objects }: Standing): Lease {
  const left = lease.objects.filter(({ kind }) => objects.some((object) => object.kind === kind));
  return left.length === lease.objects.length ? lease : { ...next(lease), objects: left };
}

/** REVOKING stays so: the take-down failed and will be retried. */
export function noteFailure(
  lease: Lease,
  failure: { lastError: string; nextTryTime: number; stalledAfter: number },
): Lease {
  const { lastError, nextTryTime, stalledAfter } = failure;
  const tries = (lease.tries ?? 0) + 1;
  return { ...next(lease), tries, lastError: kept(lastError), nextTryTime, stalled: tries >= stalledAfter };
}

/** REVOKING stays so: what kept it from being taken down may be over, so tries and waits begin anew at `nextTryTime`. */
export function tryAnew(lease: Lease, nextTryTime: number): Lease {
  return { ...next(lease), tries: 0, nextTryTime, stalled: undefined };
}

/** REVOKING stays so: all is gone, but what was asked for may still appear. */
export function awaitSettling(lease: Lease, settleTime: number): Lease {
  return { ...next(lease), lastError: undefined, nextTryTime: settleTime };
}

/** REVOKING -> its end, once every object is confirmed gone. */
export function end(lease: Lease & { endAs: EndedState }, now: number): Lease {
  return historyOf({ ...next(lease), ...ended(lease, now), lastError: undefined });
}

/** REVOKING -> its end, by an operator's word, though `lastError` kept the objects from being confirmed gone. */
export function endByForce(lease: Lease & { endAs: EndedState }, now: number, lastError: string): Lease {
  return historyOf({ ...next(lease), ...ended(lease, now), lastError: kept(lastError), forced: true });
}

/**
 * What is told and kept of a lease that has ended: who had what, where, from when until when, and how it ended. What
 * only served to take it down is left out; there are many more of these records than of live leases. One that was ended
 * by force keeps the uids: what remains in the cluster is still to be found.
 */
function historyOf(lease: Lease): Lease {
  const objects = lease.forced ? lease.objects : lease.objects.map((object) => ({ ...object, uid: undefined }));
  return {
    ...lease,
    objects,
    namespaceUid: lease.forced ? lease.namespaceUid : undefined,
    formerAccessId: undefined,
    hasFurtherTokens: undefined,
    settleTime: undefined,
    traceparent: undefined,
  };
}

/** A cluster chooses the words of its errors, and its owner could choose long ones for each of their leases. */
function kept(lastError: string): string {
  return shortLine(lastError, MAX_LAST_ERROR);
}

function ended(lease: { endAs: EndedState }, now: number): Partial<Lease> {
  return { state: lease.endAs, endTime: now, nextTryTime: undefined, stalled: undefined };
}

function next(lease: Lease): Lease {
  return { ...lease, version: lease.version + 1 };
}
