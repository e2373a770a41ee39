import pLimit from 'p-limit';
import type { BatchOutcome } from '../domain/batch.ts';
import { Aborted, LeaseholdError, NotFound, Unavailable } from '../domain/errors.ts';
import { isBeingIssued, type Lease } from '../domain/lease.ts';
import { shortLine } from '../domain/shorten.ts';
import type { Ports } from '../ports/ports.ts';
import { liveLeases } from './live-leases.ts';
import { isPassing, revoke } from './revoke.ts';

/** Leases that are taken down at the same time. */
const AT_ONCE = 16;

/** How often leases that are still being issued are looked at again. */
const PENDING_POLL_MS = 250;

/** Of what a batch reports of one lease; the record of the lease says more. */
const MAX_ERROR = 200;

/** For so long those are tried again that shall end by force, and could not be tried because their cluster was busy. */
const BUSY_MS = 60_000;

/** Which leases, and who is told what became of each. */
export interface Matching {
  /** Leases on these configs; undefined: on any. */
  configs: readonly string[] | undefined;
  matches(lease: Lease): boolean;
  report(outcome: BatchOutcome): Promise<void>;
  /** Ends them even where the cluster does not confirm that their objects are gone. */
  force?: boolean | undefined;
  /** It goes on looking until then, for what is recorded meanwhile. Left out: it looks once. */
  notBefore?: number;
}

/**
 * Revokes every live lease that matches, each once, and goes on past those that fail: they stay REVOKING and are retried
 * like any other. Waits for those that are still being issued, so that none slips through. Throws Unavailable where the
 * store is away; then it may be called again.
 */
export async function revokeMatching(ports: Ports, matching: Matching): Promise<void> {
  const tried = new Set<string>();
  const { notBefore = 0 } = matching;
  const busyUntil = ports.clock.now() + BUSY_MS;
  while ((await revokeRound(ports, matching, tried, busyUntil)) || ports.clock.now() < notBefore) {
    await ports.clock.sleep(PENDING_POLL_MS);
  }
}

/** Returns whether some are left: still being issued, or changed by others at the same moment. */
async function revokeRound(ports: Ports, matching: Matching, tried: Set<string>, busyUntil: number): Promise<boolean> {
  const limit = pLimit(AT_ONCE);
  let someAreLeft = false;
  for (const config of matching.configs ?? [undefined]) {
    for await (const page of liveLeases(ports, config)) {
      const untried = page.filter((lease) => !tried.has(lease.id) && matching.matches(lease));
      const ready = untried.filter((lease) => !isBeingIssued(lease, ports.clock.now()));
      someAreLeft ||= ready.length < untried.length;
      await Promise.all(
        ready.map((lease) =>
          limit(async () => {
            const outcome = await outcomeOf(ports, lease, matching, busyUntil);
            if (outcome) {
              tried.add(lease.id);
              await matching.report({ ...outcome, error: shortLine(outcome.error, MAX_ERROR) });
            } else {
              someAreLeft = true;
            }
          }),
        ),
      );
    }
  }
  return someAreLeft;
}

/** undefined: it is to be tried once more. */
async function outcomeOf(
  ports: Ports,
  lease: Lease,
  { force = false }: Matching,
  busyUntil: number,
): Promise<BatchOutcome | undefined> {
  const leaseId = lease.id;
  try {
    const { state, forced, lastError = '' } = await revoke(ports, lease, 'REVOKED', { force });
    if (forced) {
      return { leaseId, state, error: lastError, forced };
    }
    const error = state === 'REVOKING' ? 'what was asked for last may still appear; it is looked for once more' : '';
    return { leaseId, state, error };
  } catch (error) {
    if (error instanceof Aborted || error instanceof NotFound) {
      return undefined;
    }
    if (error instanceof Unavailable || !(error instanceof LeaseholdError)) {
      throw error;
    }
    if (force && isPassing(error) && ports.clock.now() < busyUntil) {
      return undefined;
    }
    return { leaseId, state: 'REVOKING', error: error.message };
  }
}
