/** The alarm clock: it wakes the worker. The records are the truth; an alarm may ring for nothing. */
export interface Alarm {
  /** Sets the alarm of a new lease. */
  set(leaseId: string, at: number): Promise<void>;
  /** Moves the alarm of a lease, or sets it where there is none. */
  move(leaseId: string, at: number): Promise<void>;
  /** Takes the alarm of an ended lease away. */
  clear(leaseId: string): Promise<void>;
  /** Wakes the worker for a batch, now. Does nothing where it is awake for it already. */
  wakeForBatch(batchId: string): Promise<void>;
}
