/** When a lease wants attention. */
export interface Appointment {
  leaseId: string;
  at: number;
}

/** The alarm clock: it wakes the worker. The records are the truth; an alarm may ring for nothing. */
export interface Alarm {
  /** Sets alarms; those that are set already stay as they are. */
  set(appointments: readonly Appointment[]): Promise<void>;
  /** Moves the alarm of a lease, or sets it where there is none. */
  move(appointment: Appointment): Promise<void>;
  /** Wakes the worker for a batch, now. Does nothing where it is awake for it already. */
  wakeForBatch(batchId: string): Promise<void>;
}
