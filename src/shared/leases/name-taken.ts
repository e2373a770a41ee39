import type { ClusterRefused } from '../domain/cluster-error.ts';
import { Aborted } from '../domain/errors.ts';
import type { LeaseObject } from '../domain/lease.ts';

/** How many leases, each with names of its own, are tried for one request. */
const MAX_NAMES = 3;

/** An object of the lease's own name stands in the cluster already, and could not be recognized as made for the lease. */
export class NameTaken extends Aborted {
  constructor({ kind, name }: LeaseObject, cause: ClusterRefused) {
    super(
      'OBJECT_NAME_TAKEN',
      `the cluster already has a ${kind} ${JSON.stringify(name)}, a name that nobody else knows: something between Leasehold and the API server may send requests twice. Stop it from repeating POST requests, or allow the cluster token to get or list ${cause.call.resource}, so that Leasehold recognizes its own`,
      { cause },
    );
  }
}

/** Makes an attempt again, with a lease of another name, where the name was taken. Throws NameTaken when all were. */
export async function withFreshNames<T>(attempt: () => Promise<T>): Promise<T> {
  for (let name = 1; ; name++) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof NameTaken) || name === MAX_NAMES) {
        throw error;
      }
    }
  }
}
