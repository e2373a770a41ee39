import type { Batch, BatchOutcome } from '../../src/shared/domain/batch.ts';
import type { BatchReports, BatchStore } from '../../src/shared/ports/batch-store.ts';
import type { MemoryRecords } from './memory-records.ts';

/** Batches in memory. */
export class MemoryBatchStore implements BatchStore {
  readonly #records: MemoryRecords;

  constructor(records: MemoryRecords) {
    this.#records = records;
  }

  async record(batch: Batch): Promise<Batch | undefined> {
    const earlier = await this.get(batch.id);
    if (!earlier) {
      this.#set(batch.id, { json: JSON.stringify(batch), reports: [], ended: false });
    }
    return earlier;
  }

  async get(id: string): Promise<Batch | undefined> {
    const kept = this.#records.batches.get(id);
    return kept && (JSON.parse(kept.json) as Batch);
  }

  async report(id: string, outcome: BatchOutcome): Promise<void> {
    const kept = this.#records.batches.get(id);
    if (kept) {
      this.#set(id, { ...kept, reports: [...kept.reports, JSON.stringify(outcome)] });
    }
  }

  async reports(id: string, after: string): Promise<BatchReports> {
    const reports = this.#records.batches.get(id)?.reports ?? [];
    const outcomes = reports.slice(Number(after)).map((report) => JSON.parse(report) as BatchOutcome);
    return { outcomes, next: outcomes.length > 0 ? String(reports.length) : after };
  }

  async end(id: string, endTime: number): Promise<void> {
    const kept = this.#records.batches.get(id);
    if (kept) {
      const json = JSON.stringify({ ...(JSON.parse(kept.json) as Batch), endTime });
      this.#set(id, { ...kept, json, ended: true });
    }
  }

  async unfinished(): Promise<string[]> {
    return [...this.#records.batches].filter(([, { ended }]) => !ended).map(([id]) => id);
  }

  #set(id: string, kept: { json: string; reports: readonly string[]; ended: boolean }): void {
    this.#records.journal.set(this.#records.batches, id, kept);
  }
}
