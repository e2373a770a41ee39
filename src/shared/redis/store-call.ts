import { Unavailable } from '../domain/errors.ts';

/** What Redis answers when it cannot serve now but may later: replication, cluster, memory, disk. */
const PASSING = /^(?:LOADING|READONLY|OOM|MISCONF|CLUSTERDOWN|TRYAGAIN|MASTERDOWN|NOREPLICAS|BUSY)\b/;

/** What ioredis says when there is no connection, or none that answers. */
const AWAY =
  /^(?:Connection is closed|Stream isn't writeable|Command timed out|Redis connection lost|Reached the max retries)/;

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
