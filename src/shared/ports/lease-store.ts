import type { Lease, LeaseState } from '../domain/lease.ts';
import type { Appointment } from './alarm.ts';

/** A caller's request_id, and a fingerprint of the rest of the request. Each caller has ids of its own. */
export interface RequestKey {
  principal: string;
  requestId: string;
  fingerprint: string;
}

export interface LeaseQuery {
  /** undefined: any. */
  config: string | undefined;
  /** Whose leases; undefined: anybody's. */
  principal: string | undefined;
  states: readonly LeaseState[];
  /** Leases issued before this one; undefined: from the newest. */
  before: string | undefined;
  limit: number;
}

/** Records of leases: the truth about what exists. Fails with Unavailable where the store is away. */
export interface LeaseStore {
  /**
   * Makes a PENDING lease durable. Returns undefined, or, where the request id is known with the same fingerprint, the
   * lease that it was used for. Throws AlreadyExists where the fingerprint differs, Aborted where the config or
   * its access went away in between, FailedPrecondition while the config is being deleted, and ResourceExhausted where
   * a limit is reached: counted and recorded in one step, so that calls at the same time pass none together.
   */
  record(lease: Lease, request?: RequestKey): Promise<Lease | undefined>;
  /** Counts a renewal, or another token for a repeated request, for the issue rate of that principal. Throws ResourceExhausted where it is reached. */
  admitRenewal(principal: string): Promise<void>;
  /**
   * Stores `lease` over the version before it. False where that is no longer the stored one. The request id of one that
   * is on its way to FAILED is free again. One that has ended is kept for a time, and only so many of a principal: the
   * one that ended first is forgotten, and its request id with it. Throws Aborted where it is given another access that
   * is not stored any more.
   */
  save(lease: Lease): Promise<boolean>;
  /** Forgets some of the leases that have been kept for their time by `now`. Returns how many; 0: none is left. */
  forgetEnded(now: number): Promise<number>;
  /** Throws RecordDamaged. */
  get(id: string): Promise<Lease | undefined>;
  /** Live leases that want attention before then, trial leases among them, in the order of their times. */
  dueBefore(before: number, page: { offset: number; limit: number }): Promise<Appointment[]>;
  /** Newest first; trial leases are not listed, nor those whose record is damaged: they must not hold up the others. */
  list(query: LeaseQuery): Promise<Lease[]>;
}
