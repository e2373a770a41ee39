import { Unavailable } from '../domain/errors.ts';

/**
 * What Redis answers when it cannot serve now but may later: replication, cluster, memory, disk. Redis 6 puts a script
 * before it. MOVED comes to us only where the new owner could not be followed to.
 */
const PASSING =
  /^(?:ERR Error running script.*-)?(?:LOADING|READONLY|OOM|MISCONF|CLUSTERDOWN|TRYAGAIN|MOVED|ASK|MASTERDOWN|NOREPLICAS|BUSY|UNBLOCKED)\b/;

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
    if (!isPassing(error as NodeJS.ErrnoException)) {
      throw error;
    }
    throw new Unavailable('STORE_UNAVAILABLE', 'the store cannot be reached or cannot write now', { cause: error });
  }
}

function isPassing({ message, syscall }: NodeJS.ErrnoException): boolean {
  return syscall !== undefined || PASSING.test(message) || AWAY.test(message);
}
