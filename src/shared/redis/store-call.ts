import { ReplyError } from 'ioredis';
import { Unavailable } from '../domain/errors.ts';
import { refusalIn } from './refusal.ts';

/**
 * What Redis answers when it cannot serve now but may later, besides what it says when it refuses writes. Redis 6 puts a
 * script before it. MOVED comes to us only where the new owner could not be followed to.
 */
const PASSING =
  /^(?:ERR Error running script.*-)?(?:LOADING|CLUSTERDOWN|TRYAGAIN|MOVED|ASK|MASTERDOWN|BUSY|UNBLOCKED)\b/;

/** What ioredis says when there is no connection, none that answers, or no node that could be asked. */
const AWAY = new RegExp(
  `^(?:${[
    'Connection is closed',
    "Stream isn't writeable",
    'Command timed out',
    'Command aborted due to connection close',
    'Socket timeout',
    'Redis connection lost',
    'Reached the max retries',
    'All sentinels are unreachable',
    "Cluster isn't ready",
    'None of startup nodes is available',
    'Failed to refresh slots cache',
    'Too many Cluster redirections',
  ].join('|')})`,
);

/** Runs a call to Redis; where Redis is away or cannot serve now, throws Unavailable. Other errors are faults of ours. */
export async function storeCall<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    const refusal = refusalIn(error);
    if (refusal) {
      const message = `the store can be read, but Redis refuses writes: ${refusal.why}; ${refusal.advice}`;
      throw new Unavailable('STORE_UNAVAILABLE', message, { cause: error });
    }
    if (!isPassing(error)) {
      throw error;
    }
    throw new Unavailable('STORE_UNAVAILABLE', 'the store (Redis) cannot be reached, or cannot serve now', {
      cause: error,
    });
  }
}

/** Whether an error says that Redis is away or cannot serve now. */
export function isPassing(error: unknown): boolean {
  return error instanceof Error && ('syscall' in error || PASSING.test(error.message) || AWAY.test(error.message));
}

/** Whether an error is Redis' answer, or says that there was none. */
export function isStoreError(error: unknown): error is Error {
  return error instanceof ReplyError || error instanceof Unavailable || (error instanceof Error && isPassing(error));
}
