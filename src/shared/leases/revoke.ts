import { type ClusterError, ClusterNotCalled, ClusterRefused } from '../domain/cluster-error.ts';
import { Aborted, Unavailable } from '../domain/errors.ts';
import {
  awaitSettling,
  beginRevoking,
  type EndedState,
  end,
  endByForce,
  hasEnded,
  isBeingIssued,
  isSettling,
  type Lease,
  leaveOutUnmade,
  noteFailure,
  type Standing,
} from '../domain/lease.ts';
import { retryDelay } from '../domain/retry-delay.ts';
import type { Ports } from '../ports/ports.ts';
import { countEnded, countStalled } from '../telemetry/metrics.ts';
import { inSpan, linkTo } from '../telemetry/span.ts';
import { change } from './change.ts';
import { schedule } from './schedule.ts';
import { takeDown } from './take-down.ts';

export interface RevokeOptions {
  /**
   * Ends the lease even where the cluster does not confirm that its objects are gone, once it was tried: one that could not
   * be, because the cluster was busy or the store away, is not given up.
   */
  force?: boolean;
  /**
   * Until then a creation whose outcome is unknown may still take effect; the lease does not end before. Left out for a
   * PENDING one: what its issuer, who must be dead, may have asked for last.
   */
  settleTime?: number;
  /** Leaves the lease as it is where this holds of it at the moment of taking it. */
  unless?: (lease: Lease) => boolean;
  /** For its issuer, who knows: all that there is to take down. The record is narrowed to it first. */
  standing?: Standing;
}

/**
 * Takes a lease down and returns it as it stands then: the one way to do so, for expiry, for a caller, for a batch and for
 * the undoing of a failed issue. `lease` may be of a moment ago. Safe to repeat and to run twice at once. Where the cluster
 * does not confirm, the lease stays REVOKING, the alarm rings again in a while, and the error is thrown. A lease that is
 * REVOKING already keeps what it will end as. Throws NotFound, Aborted, a ClusterError or Unavailable.
 */
export async function revoke(
  ports: Ports,
  lease: Lease,
  endAs: EndedState,
  options: RevokeOptions = {},
): Promise<Lease> {
  if (hasEnded(lease)) {
    return lease;
  }
  if (endAs === 'REVOKED' && isBeingIssued(lease, ports.clock.now())) {
    throw new Aborted('LEASE_BEING_ISSUED', `lease ${lease.id} is still being issued; try again when it is ACTIVE`);
  }
  const attributes = {
    'leasehold.lease.id': lease.id,
    'leasehold.config': lease.config,
    'leasehold.principal': lease.principal,
  };
  return inSpan('lease.revoke', { attributes, links: linkTo(lease.traceparent) }, async (span) => {
    const after = await takeDownAndEnd(ports, lease, endAs, options);
    span.setAttribute('leasehold.lease.state', after.state);
    return after;
  });
}

async function takeDownAndEnd(ports: Ports, lease: Lease, endAs: EndedState, options: RevokeOptions): Promise<Lease> {
  const nextTryTime = ports.clock.now() + ports.policy.takeDownTimeoutMs;
  const revoking = await change(ports, lease, (current) => {
    if (options.unless?.(current)) {
      return current;
    }
    if (current.state === 'REVOKING') {
      return options.standing ? leaveOutUnmade(current, options.standing) : current;
    }
    const settleTime = options.settleTime ?? lastEffectTime(ports, current);
    return beginRevoking(current, endAs, { nextTryTime, settleTime, ...options.standing });
  });
  if (revoking.state !== 'REVOKING') {
    return revoking;
  }
  const lookedAt = ports.clock.now();
  const failure = await failureOf(takeDown(ports, revoking));
  if (failure && options.force && !isPassing(failure)) {
    return finish(ports, revoking, (current) => endByForce(current, ports.clock.now(), failure.message));
  }
  if (failure) {
    await scheduleRetry(ports, revoking, failure);
    throw failure;
  }
  if (isSettling(revoking, lookedAt)) {
    return settle(ports, revoking, revoking.settleTime);
  }
  return finish(ports, revoking, (current) => end(current, ports.clock.now()));
}

function lastEffectTime({ policy }: Ports, { state, issueDeadline }: Lease): number | undefined {
  return state === 'PENDING' ? issueDeadline + policy.settleMs : undefined;
}

/** It says nothing of the lease, whose turn did not come: by force ends only what was tried. */
export function isPassing(failure: unknown): boolean {
  return (
    failure instanceof Unavailable ||
    (failure instanceof ClusterNotCalled && failure.isPassing) ||
    (failure instanceof ClusterRefused && failure.reason === 'CLUSTER_OVERLOADED')
  );
}

async function failureOf(takingDown: Promise<void>): Promise<Error | undefined> {
  return takingDown.then(
    () => undefined,
    (error: Error) => error,
  );
}

async function scheduleRetry(ports: Ports, lease: Lease, failure: Error): Promise<void> {
  const { retry } = ports.policy;
  const after = await changeRevoking(ports, lease, (current) => {
    const backoff = retryDelay((current.tries ?? 0) + 1, retry, ports.random);
    const asked = (failure as Partial<ClusterError>).retryAfterMs ?? 0;
    const nextTryTime = ports.clock.now() + Math.max(backoff, asked);
    return noteFailure(current, { lastError: failure.message, nextTryTime, stalledAfter: retry.stalledAfter });
  });
  if (after.state !== 'REVOKING') {
    return;
  }
  if (after.tries === retry.stalledAfter) {
    countStalled(after.config);
    ports.log.warn(
      { lease: after.id, config: after.config, tries: after.tries, err: failure },
      'lease stalled: taking it down keeps failing; it is still retried',
    );
  }
  await schedule(ports, after);
}

/** All is gone, but a creation may still take effect: the worker looks again then. */
async function settle(ports: Ports, lease: Lease, settleTime: number): Promise<Lease> {
  const after = await changeRevoking(ports, lease, (current) => awaitSettling(current, settleTime));
  await schedule(ports, after);
  return after;
}

/** A store that lost its last writes may say that it was never begun: then it is left to whoever looks at it next. */
function changeRevoking(ports: Ports, lease: Lease, step: (lease: Lease) => Lease): Promise<Lease> {
  return change(ports, lease, (current) => (current.state === 'REVOKING' ? step(current) : current));
}

type Ending = (lease: Lease & { endAs: EndedState }) => Lease;

async function finish(ports: Ports, lease: Lease, ending: Ending): Promise<Lease> {
  const ended = await change(ports, lease, (current) => ending({ ...current, endAs: current.endAs ?? 'FAILED' }));
  tell(ports, ended);
  return ended;
}

function tell(ports: Ports, { id, purpose, config, principal, state, forced = false, lastError }: Lease): void {
  if (forced) {
    ports.log.warn({ lease: id, config, principal, state, lastError }, 'lease ended by force; objects may remain');
  } else {
    ports.log.info({ lease: id, config, principal, state }, `${purpose} ended`);
  }
  if (purpose === 'lease') {
    countEnded(state, forced);
  }
}
