import type { Alarm, Appointment } from '../../src/shared/ports/alarm.ts';
import { Journal } from './journal.ts';

/**
 * The alarm clock in memory, and the end at which a worker waits. As in the real queue, an alarm that rings just now
 * stays with the worker: it can neither be set nor moved until the worker is done with it.
 */
export class MemoryAlarm implements Alarm {
  readonly #alarms = new Map<string, number>();
  readonly #batches = new Map<string, true>();
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
      this.#journal.set(this.#batches, batchId, true);
    }
  }

  /** When the alarm of a lease rings; undefined: never. */
  ringsAt(leaseId: string): number | undefined {
    return this.#alarms.get(leaseId);
  }

  isAwakeFor(batchId: string): boolean {
    return this.#batches.has(batchId);
  }

  /** When the next alarm rings that nobody has taken; undefined: never. */
  nextAt(): number | undefined {
    const waiting = [...this.#alarms].filter(([id]) => !this.#ringing.has(id)).map(([, at]) => at);
    return this.#hasFreeBatch() ? 0 : waiting.length > 0 ? Math.min(...waiting) : undefined;
  }

  /** Alarms that ring by `now`, which from here on are the caller's: each is given back with `done`. */
  takeRinging(now: number): string[] {
    const due = [...this.#alarms].filter(([id, at]) => at <= now && !this.#ringing.has(id)).map(([id]) => id);
    return this.#take(due);
  }

  /** The same for batches. */
  takeBatches(): string[] {
    return this.#take([...this.#batches.keys()].filter((id) => !this.#ringing.has(id)));
  }

  /** The worker is done with an alarm or a batch, or was found dead; it rings again then, or (undefined) never. */
  done(id: string, ringAgainAt: number | undefined): void {
    if (!this.#ringing.delete(id)) {
      return;
    }
    if (ringAgainAt === undefined) {
      this.#journal.delete(this.#alarms, id);
      this.#journal.delete(this.#batches, id);
    } else if (this.#alarms.has(id)) {
      this.#journal.set(this.#alarms, id, ringAgainAt);
    }
  }

  /** What happens where the queue's data are lost. */
  loseAll(): void {
    this.#alarms.clear();
    this.#batches.clear();
    this.#ringing.clear();
  }

  #hasFreeBatch(): boolean {
    return [...this.#batches.keys()].some((id) => !this.#ringing.has(id));
  }

  #take(ids: string[]): string[] {
    for (const id of ids) {
      this.#ringing.add(id);
    }
    return ids;
  }
}
