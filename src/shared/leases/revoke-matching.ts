import type { BatchOutcome } from '../domain/batch.ts';
import { Aborted, LeaseholdError, NotFound, Unavailable } from '../domain/errors.ts';
import { isBeingIssued, type Lease } from '../domain/lease.ts';
import { shortLine } from '../domain/shorten.ts';
import type { Ports } from '../ports/ports.ts';
import { forEach } from './for-each.ts';
import { liveLeases } from './live-leases.ts';
import { isPassing, revoke } from './revoke.ts';

/** How long to wait before those that are left are looked at again, and at most, where nothing comes of it. */
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 4_000;

/** Where fewer than one lease in this many that were passed over was tried, another pass would achieve little. */
const WORTH_A_PASS = 100;

/** Of what a batch reports of one lease; the record of the lease says more. */
const MAX_ERROR = 400;

/** For so long those are tried again that shall end by force, and could not be tried because their cluster was busy. */
const BUSY_MS = 60_000;

/** Where leases are taken down, so that those that hang do not hold up others. */
export interface TakeDownPool {
  /** How many of a batch are tried at the same time. */
  atOnce: number;
  /** Whether to try that lease now, and not to pass it over; it is asked before each try, and cheap. */
  mayTry(lease: Lease): Promise<boolean>;
  /** Runs `work` for that lease; undefined: there was no place, and the lease is to be tried later. */
  run<T>(lease: Lease, work: () => Promise<T>): Promise<T | undefined>;
}

const UNSHARED: TakeDownPool = { atOnce: 16, mayTry: async () => true, run: (_lease, work) => work() };

/** Which leases, and who is told what became of each. */
export interface Matching {
  /** Leases on these configs; undefined: on any. */
  configs: readonly string[] | undefined;
  /** Leases of this principal. Left out: of any. */
  principal?: string | undefined;
  matches(lease: Lease): boolean;
  report(outcome: BatchOutcome): Promise<void>;
  /** Ends them even where the cluster does not confirm that their objects are gone. */
  force?: boolean | undefined;
  /** Left out: a few at once, whosever they are. */
  pool?: TakeDownPool | undefined;
  /** It goes on looking until then, for what is recorded meanwhile. Left out: it looks once. */
  notBefore?: number;
}

/**
 * Revokes every live lease that matches, each once, and goes on past those that fail: they stay REVOKING and are retried
 * like any other. Waits for those that are still being issued, so that none slips through. Throws Unavailable where the
 * store is away; then it may be called again.
 */
export async function revokeMatching(ports: Ports, matching: Matching): Promise<void> {
  const { pool = UNSHARED } = matching;
  const progress: Progress = { tried: new Set(), underWay: new Set(), passedOver: 0, hasFailed: false };
  const busyUntil = ports.clock.now() + BUSY_MS;
  await forEach(untriedLeases(ports, matching, progress), pool.atOnce, async (lease) => {
    try {
      const outcome = isBeingIssued(lease, ports.clock.now())
        ? undefined
        : await pool.run(lease, () => outcomeOf(ports, lease, matching, busyUntil));
      if (outcome) {
        progress.tried.add(lease.id);
        await matching.report({ ...outcome, error: shortLine(outcome.error, MAX_ERROR) });
      } else {
        progress.passedOver += 1;
      }
    } catch (error) {
      progress.hasFailed = true;
      throw error;
    } finally {
      progress.underWay.delete(lease.id);
    }
  });
}

interface Progress {
  tried: Set<string>;
  underWay: Set<string>;
  /** Since the last pass began: still being issued, changed by others at the same moment, or without a place. */
  passedOver: number;
  /** Then no more is begun, and the passes over the leases end: otherwise they would wait forever. */
  hasFailed: boolean;
}

/** Passes over the leases until each was tried. Those that hang do not keep what is left from another pass. */
async function* untriedLeases(ports: Ports, matching: Matching, progress: Progress): AsyncGenerator<Lease> {
  const { tried, underWay } = progress;
  const { notBefore = 0 } = matching;
  let pauseMs = FIRST_PAUSE_MS;
  for (;;) {
    const triedBefore = tried.size;
    progress.passedOver = 0;
    yield* onePass(ports, matching, progress);
    if (progress.hasFailed) {
      return;
    }
    if (underWay.size === 0 && progress.passedOver === 0 && ports.clock.now() >= notBefore) {
      return;
    }
    // A pass reads every lease: where most have no place, what little was done does not bring the next one sooner.
    const isMoving = (tried.size - triedBefore) * WORTH_A_PASS > progress.passedOver;
    pauseMs = isMoving ? FIRST_PAUSE_MS : Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
    await ports.clock.sleep(pauseMs);
  }
}

async function* onePass(ports: Ports, matching: Matching, progress: Progress): AsyncGenerator<Lease> {
  const { tried, underWay } = progress;
  const { principal, pool = UNSHARED } = matching;
  for (const config of matching.configs ?? [undefined]) {
    for await (const page of liveLeases(ports, config, principal)) {
      for (const lease of page.filter(({ id }) => !(tried.has(id) || underWay.has(id))).filter(matching.matches)) {
        if (await pool.mayTry(lease)) {
          underWay.add(lease.id);
          yield lease;
        } else {
          progress.passedOver += 1;
        }
      }
    }
  }
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
