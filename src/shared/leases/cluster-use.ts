import type { Lease } from '../domain/lease.ts';
import { principalName } from '../domain/principal.ts';
import type { ClusterUse, Purpose } from '../ports/cluster.ts';
import { currentCaller } from '../telemetry/current-caller.ts';

/** The use of a cluster for the one whose call is being served; by Leasehold itself where there is none. */
export function useByCaller(purpose: Purpose): ClusterUse {
  const caller = currentCaller();
  return { purpose, principal: caller && principalName(caller) };
}

/**
 * The use of a cluster for a lease, which counts for the owner of the lease, whoever calls. All that a trial lease
 * needs is a trial.
 */
export function useForLease(lease: Lease, purpose: 'take-down' | 'issue'): ClusterUse {
  return { purpose: lease.purpose === 'trial' ? 'trial' : purpose, principal: lease.principal };
}
