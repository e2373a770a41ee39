import type { Batch, BatchOutcome } from '../../src/shared/domain/batch.ts';
import { type Quotas, quotaReached } from '../../src/shared/domain/quotas.ts';
import type { BatchReports, BatchStore } from '../../src/shared/ports/batch-store.ts';
import type { MemoryRecords } from './memory-records.ts';
import { UNLIMITED_QUOTAS } from './unlimited-quotas.ts';

/** Batches in memory. */
export class MemoryBatchStore implements BatchStore {
  readonly #records: MemoryRecords;
  readonly #quotas: Quotas;

  constructor(records: MemoryRecords, quotas = UNLIMITED_QUOTAS) {
    this.#records = records;
    this.#quotas = quotas;
  }

  async record(batch: Batch): Promise<Batch | undefined> {
    const earlier = await this.get(batch.id);
    if (!earlier) {
      if (
        this.#of(batch.principal).filter(({ endTime }) => endTime === undefined).length >=
        this.#quotas.batchesPerPrincipal
      ) {
        throw quotaReached(this.#quotas, 'batchesPerPrincipal', `principal:${batch.principal}`);
      }
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
      this.#forgetOldest(JSON.parse(json) as Batch);
    }
  }

  async unfinished(): Promise<string[]> {
    return [...this.#records.batches].filter(([, { ended }]) => !ended).map(([id]) => id);
  }

  #of(principal: string): Batch[] {
    const all = [...this.#records.batches.values()].map(({ json }) => JSON.parse(json) as Batch);
    return all.filter((batch) => batch.principal === principal);
  }

  #forgetOldest(last: Batch): void {
    const ended = this.#of(last.principal).filter(({ endTime }) => endTime !== undefined);
    const latestFirst = ended.toSorted((one, other) => (other.endTime ?? 0) - (one.endTime ?? 0));
    let reports = 0;
    for (const [index, { id }] of latestFirst.entries()) {
      reports += this.#records.batches.get(id)?.reports.length ?? 0;
      const isTooMuch = index >= this.#quotas.endedBatchesPerPrincipal || reports > this.#quotas.reportsPerPrincipal;
      if (isTooMuch && id !== last.id) {
        this.#records.journal.delete(this.#records.batches, id);
      }
    }
  }

  #set(id: string, kept: { json: string; reports: readonly string[]; ended: boolean }): void {
    this.#records.journal.set(this.#records.batches, id, kept);
  }
}
