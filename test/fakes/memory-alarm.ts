import type { Alarm, Appointment } from '../../src/shared/ports/alarm.ts';
import { Journal } from './journal.ts';

/**
 * The alarm clock in memory, and the end at which a worker waits. As in the real queue, an alarm that rings just now
 * stays with the worker: it can neither be set nor moved until the worker is done with it.
 */
export class MemoryAlarm implements Alarm {
  readonly #alarms = new Map<string, number>();
  readonly #batches = new Map<string, number>();
  readonly #ringing = new Set<string>();
  readonly #journal: Journal;

  constructor(journal = new Journal()) {
    this.#journal = journal;
  }

  async set(appointments: readonly Appointment[]): Promise<void> {
    for (const { leaseId, at } of appointments) {
      if (!this.#alarms.has(leaseId)) {
        this.#journal.set(this.#alarms, leaseId, at);
      }
    }
  }

  async move({ leaseId, at }: Appointment): Promise<void> {
    if (!this.#ringing.has(leaseId)) {
      this.#journal.set(this.#alarms, leaseId, at);
    }
  }

  async wakeForBatch(batchId: string): Promise<void> {
    if (!this.#batches.has(batchId)) {
      this.#journal.set(this.#batches, batchId, 0);
    }
  }

  /** When the alarm of a lease rings; undefined: never. */
  ringsAt(leaseId: string): number | undefined {
    return this.#alarms.get(leaseId);
  }

  isAwakeFor(batchId: string): boolean {
    return this.#batches.has(batchId);
  }

  /** When somebody is to be woken next; undefined: never. */
  nextAt(): number | undefined {
    const waiting = [...this.#alarms, ...this.#batches].filter(([id]) => !this.#ringing.has(id));
    return waiting.length > 0 ? Math.min(...waiting.map(([, at]) => at)) : undefined;
  }

  /** Leases whose alarms ring by `now`, which from here on are the caller's: each is given back with `done`. */
  takeRinging(now: number): string[] {
    return this.#take(this.#alarms, now);
  }

  /** The same for batches. */
  takeBatches(now: number): string[] {
    return this.#take(this.#batches, now);
  }

  /** The worker is done with a lease or a batch, or was found dead; it rings again then, or (undefined) never. */
  done(id: string, ringAgainAt: number | undefined): void {
    if (!this.#ringing.delete(id)) {
      return;
    }
    for (const table of [this.#alarms, this.#batches].filter((table) => table.has(id))) {
      if (ringAgainAt === undefined) {
        this.#journal.delete(table, id);
      } else {
        this.#journal.set(table, id, ringAgainAt);
      }
    }
  }

  /** What happens where the queue's data are lost. */
  loseAll(): void {
    this.#alarms.clear();
    this.#batches.clear();
    this.#ringing.clear();
  }

  #take(table: Map<string, number>, now: number): string[] {
    const due = [...table].filter(([id, at]) => at <= now && !this.#ringing.has(id)).map(([id]) => id);
    for (const id of due) {
      this.#ringing.add(id);
    }
    return due;
  }
}
