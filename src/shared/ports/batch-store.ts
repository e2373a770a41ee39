import type { Batch, BatchOutcome } from '../domain/batch.ts';

/** What a batch has reported since a place in its reports. */
export interface BatchReports {
  outcomes: BatchOutcome[];
  /** Where to go on reading. */
  next: string;
}

/** Records of batches, kept for a time after their end. Fails with Unavailable where the store is away. */
export interface BatchStore {
  /**
   * Makes a batch durable. Returns undefined, or the batch that has this id already. Throws ResourceExhausted where its
   * principal has as many unfinished ones as it may.
   */
  record(batch: Batch): Promise<Batch | undefined>;
  get(id: string): Promise<Batch | undefined>;
  /**
   * Adds what became of one lease, while the batch has not ended. A batch that is worked on anew may report a lease
   * again. Where its principal has too many reports of unfinished batches, the oldest of the longest one go.
   */
  report(batch: Pick<Batch, 'id' | 'principal'>, outcome: BatchOutcome): Promise<void>;
  /** The reports after `after`, in their order; '' begins. */
  reports(id: string, after: string): Promise<BatchReports>;
  /** It is kept for a time, unless its principal has many later ones that have ended: then the oldest go first. */
  end(id: string, endTime: number): Promise<void>;
  /** Ids of the batches that have not ended. */
  unfinished(): Promise<string[]>;
}
