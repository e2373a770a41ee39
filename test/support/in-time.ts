import { RichClientError } from 'nice-grpc-error-details';
import type { LeaseholdClient } from './leasehold.ts';
import { seconds } from './set-ups.ts';

/** Thrown where something had to be done before a time, and the machine was too slow for that. It proves nothing. */
export class TooSlow extends Error {}

/** What Leasehold says of a lease whose time passed before it was issued, or renewed. */
const TIME_HAS_PASSED = new Set(['LEASE_ENDED_MEANWHILE', 'LEASE_NOT_ACTIVE']);

/** So many times as long is far more than any machine needs. */
const MOST_TIMES = 128;

/**
 * Does what must be done before a time that is near, such as the end of a short lease: `work` is given `shortest`, and,
 * where the machine is too slow for that, twice as much, and so on. So it is over soon on a fast machine, and works on any.
 */
export async function inTime<T>(shortest: number, work: (time: number) => Promise<T>): Promise<T> {
  for (let times = 1; ; times *= 2) {
    try {
      return await work(shortest * times);
    } catch (error) {
      if (times >= MOST_TIMES || !wasTooSlow(error)) {
        throw error;
      }
    }
  }
}

/** Issues a lease that ends soon: as short as this machine can issue one. */
export function issueBriefly({ leases }: Pick<LeaseholdClient, 'leases'>, config: string, ttlSeconds = 2) {
  return inTime(ttlSeconds, (ttl) => leases.issueLease({ config, ttl: seconds(ttl) }));
}

function wasTooSlow(error: unknown): boolean {
  return error instanceof TooSlow || (error instanceof RichClientError && error.extra.some(saysSo));
}

function saysSo(detail: RichClientError['extra'][number]): boolean {
  return detail.$type === 'google.rpc.ErrorInfo' && TIME_HAS_PASSED.has(detail.reason);
}
