import type { Lease, LeaseState } from '../domain/lease.ts';

/** A caller's request_id, and a fingerprint of the rest of the request. */
export interface RequestKey {
  requestId: string;
  fingerprint: string;
}

export interface LeaseQuery {
  /** undefined: any. */
  config: string | undefined;
  states: readonly LeaseState[];
  /** Leases issued before this one; undefined: from the newest. */
  before: string | undefined;
  limit: number;
}

/** Records of leases: the truth about what exists. Fails with Unavailable where the store is away. */
export interface LeaseStore {
  /**
   * Makes a PENDING lease durable. Returns undefined, or, where the request id is known with the same fingerprint, the
   * lease that it was used for. Throws AlreadyExists where the fingerprint differs, and Aborted where the config or
   * its access went away in between.
   */
  record(lease: Lease, request?: RequestKey): Promise<Lease | undefined>;
  /** Stores `lease` over the version before it. False where that is no longer the stored one. */
  save(lease: Lease): Promise<boolean>;
  get(id: string): Promise<Lease | undefined>;
  /** Newest first; trial leases are not listed. */
  list(query: LeaseQuery): Promise<Lease[]>;
}
