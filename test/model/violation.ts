/** One of the nine invariants, or what callers are promised besides (0): see `PROMISES`. */
export type Invariant = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9;

/** What must hold, whatever fails in between. */
const PROMISES: Record<Invariant, string> = {
  0: 'a caller is told the truth, is not cut off early, and has one lease for one request',
  1: 'no object is made before a record names it',
  2: 'a token leaves only under a recorded, scheduled lease',
  3: 'taking down is idempotent and touches nothing of others',
  4: 'a lease ends only when its objects are gone, or by force',
  5: 'nothing is given up',
  6: 'records are the truth, alarms only wake',
  7: 'the cluster can be read back',
  8: 'no secret in the clear',
  9: 'every change of state leaves a trace',
};

/** An invariant does not hold. */
export class Violation extends Error {
  readonly invariant: Invariant;

  constructor(invariant: Invariant, what: string) {
    super(`invariant ${invariant} (${PROMISES[invariant]}): ${what}`);
    this.name = 'Violation';
    this.invariant = invariant;
  }
}
