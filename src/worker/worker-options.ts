import type { WorkerOptions } from 'bullmq';
import { retryDelay } from '../shared/domain/retry-delay.ts';
import type { Work } from './work.ts';

/** A job whose worker has died is taken over after so long at the latest: the life of its lock, and a look at the locks. */
const LOCK_MS = 15_000;
const STALLED_CHECK_MS = 5_000;

/** An alarm that failed because Redis was away must not ring long after it is back. */
const LONGEST_BACKOFF_MS = 15_000;

/** What all our BullMQ workers have in common. */
export function workerOptions({ ports, connection, prefix }: Work): WorkerOptions {
  const retry = { ...ports.policy.retry, maxMs: Math.min(ports.policy.retry.maxMs, LONGEST_BACKOFF_MS) };
  return {
    connection,
    prefix,
    lockDuration: LOCK_MS,
    stalledInterval: STALLED_CHECK_MS,
    // A job that a killed worker left is taken over, as often as that happens.
    maxStalledCount: Number.MAX_SAFE_INTEGER,
    // Only for what is no failure of a cluster, above all while Redis is away: a lease keeps its own time of the next try.
    settings: { backoffStrategy: (tries) => retryDelay(tries, retry, ports.random) },
  };
}
