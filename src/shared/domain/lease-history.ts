import type { Lease, LeaseObject } from './lease.ts';

/**
 * What is kept of a lease that has ended: who had what, where, from when until when, and how it ended. What only served
 * to take it down is left out; there are many more of these records than of live leases. One that was ended by force
 * keeps the uids: what remains in the cluster is still to be found.
 */
export function historyOf(lease: Lease): Lease {
  return {
    ...lease,
    ...(lease.forced ? {} : { objects: lease.objects.map(withoutUid), namespaceUid: undefined }),
    formerAccessId: undefined,
    hasFurtherTokens: undefined,
    settleTime: undefined,
    traceparent: undefined,
  };
}

function withoutUid(object: LeaseObject): LeaseObject {
  return { ...object, uid: undefined };
}
