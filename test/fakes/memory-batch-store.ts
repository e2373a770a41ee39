import type { Batch, BatchOutcome } from '../../src/shared/domain/batch.ts';
import { type Quotas, quotaReached } from '../../src/shared/domain/quotas.ts';
import type { BatchReports, BatchStore } from '../../src/shared/ports/batch-store.ts';
import type { MemoryBatch, MemoryRecords } from './memory-records.ts';
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

  async report({ id, principal }: Pick<Batch, 'id' | 'principal'>, outcome: BatchOutcome): Promise<void> {
    const kept = this.#records.batches.get(id);
    if (!kept || kept.ended) {
      return;
    }
    this.#set(id, { ...kept, reports: [...kept.reports, JSON.stringify(outcome)] });
    const unfinished = this.#of(principal).flatMap((batch) => {
      const reports = this.#records.batches.get(batch.id)?.reports ?? [];
      return batch.endTime === undefined ? [{ id: batch.id, count: reports.length }] : [];
    });
    const over = unfinished.reduce((sum, { count }) => sum + count, 0) - this.#quotas.reportsPerPrincipal;
    const [longest] = unfinished.toSorted((one, other) => other.count - one.count);
    const longestKept = longest && this.#records.batches.get(longest.id);
    if (over > 0 && longestKept) {
      const { reports, forgotten = 0 } = longestKept;
      this.#set(longest.id, { ...longestKept, reports: reports.slice(over), forgotten: forgotten + over });
    }
  }

  async reports(id: string, after: string): Promise<BatchReports> {
    const { reports = [], forgotten = 0 } = this.#records.batches.get(id) ?? {};
    const unread = reports.slice(Math.max(0, Number(after) - forgotten));
    const outcomes = unread.map((report) => JSON.parse(report) as BatchOutcome);
    return { outcomes, next: outcomes.length > 0 ? String(forgotten + reports.length) : after };
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

  #set(id: string, kept: MemoryBatch): void {
    this.#records.journal.set(this.#records.batches, id, kept);
  }
}
