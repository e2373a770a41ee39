import pLimit from 'p-limit';
import { z } from 'zod';
import type { Batch, BatchOutcome } from '../domain/batch.ts';
import { DEFAULT_QUOTAS, type Quotas, quotaReached } from '../domain/quotas.ts';
import type { BatchReports, BatchStore } from '../ports/batch-store.ts';
import type { RedisClient } from './connect-redis.ts';
import type { Keys } from './keys.ts';
import { BatchRecord, OutcomeRecord } from './records.ts';
import { scanSet } from './scan-set.ts';
import { loadScript } from './script.ts';
import type { ScriptRunner } from './script-runner.ts';
import { storeCall } from './store-call.ts';

const recordScript = loadScript('record-batch', 'quota');
const reportScript = loadScript('report-batch', 'quota');
const endScript = loadScript('end-batch', 'quota');

/**
 * How long a batch that has ended is kept, so that a caller who lost its answer can ask again, unless its principal has
 * many later ones.
 */
const KEPT_MS = 24 * 60 * 60 * 1000;

/** Redis counts what it has still to send as used memory: hundreds of streams must not ask for all at the same time. */
const REPORTS_PAGE = 100;
const READS_AT_ONCE = 4;

/** In place of the error, where Redis is almost full: the same leases may be reported by a hundred batches. */
const ERROR_ELSEWHERE = 'Redis is almost full: `last_error` of the lease says why';

/** Batches in Redis: a record each, and a stream of what became of their leases. */
export class RedisBatchStore implements BatchStore {
  readonly #redis: RedisClient;
  readonly #scripts: ScriptRunner;
  readonly #keys: Keys;
  readonly #quotas: Quotas;
  readonly #reads = pLimit(READS_AT_ONCE);

  constructor(redis: RedisClient, scripts: ScriptRunner, keys: Keys, quotas: Quotas = DEFAULT_QUOTAS) {
    this.#redis = redis;
    this.#scripts = scripts;
    this.#keys = keys;
    this.#quotas = quotas;
  }

  async record(batch: Batch): Promise<Batch | undefined> {
    const earlier = await recordScript(
      this.#scripts,
      [this.#keys.batch(batch.id), this.#keys.unfinishedBatches, this.#keys.unfinishedBatchesBy(batch.principal)],
      [batch.id, JSON.stringify(batch), this.#quotas.batchesPerPrincipal],
    );
    if (earlier === 'full') {
      throw quotaReached(this.#quotas, 'batchesPerPrincipal', `principal:${batch.principal}`);
    }
    return parseBatch(z.string().nullable().parse(earlier));
  }

  async get(id: string): Promise<Batch | undefined> {
    return parseBatch(await storeCall(() => this.#redis.get(this.#keys.batch(id))));
  }

  async report({ id, principal }: Pick<Batch, 'id' | 'principal'>, outcome: BatchOutcome): Promise<void> {
    await reportScript(
      this.#scripts,
      [this.#keys.batch(id), this.#keys.batchReports(id), this.#keys.unfinishedBatchesBy(principal)],
      [id, JSON.stringify(outcome), this.#quotas.reportsPerPrincipal, JSON.stringify(inFewBytes(outcome))],
    );
  }

  async reports(id: string, after: string): Promise<BatchReports> {
    const start = after === '' ? '-' : `(${after}`;
    const entries = await this.#reads(() =>
      storeCall(() => this.#redis.xrange(this.#keys.batchReports(id), start, '+', 'COUNT', REPORTS_PAGE)),
    );
    return {
      outcomes: entries.map(([, [, outcome = '']]) => OutcomeRecord.parse(JSON.parse(outcome))),
      next: entries.at(-1)?.[0] ?? after,
    };
  }

  async end(id: string, endTime: number): Promise<void> {
    const batch = await this.get(id);
    if (!batch) {
      return;
    }
    await endScript(
      this.#scripts,
      [
        this.#keys.batch(id),
        this.#keys.batchReports(id),
        this.#keys.unfinishedBatches,
        this.#keys.unfinishedBatchesBy(batch.principal),
        this.#keys.endedBatchesBy(batch.principal),
      ],
      [
        id,
        JSON.stringify({ ...batch, endTime }),
        KEPT_MS,
        endTime,
        this.#quotas.endedBatchesPerPrincipal,
        this.#quotas.reportsPerPrincipal,
      ],
    );
  }

  async unfinished(): Promise<string[]> {
    const ids = new Set<string>();
    for await (const page of scanSet(this.#redis, this.#keys.unfinishedBatches)) {
      page.forEach((id) => void ids.add(id));
    }
    return [...ids];
  }
}

function inFewBytes(outcome: BatchOutcome): BatchOutcome {
  return outcome.error.length > ERROR_ELSEWHERE.length ? { ...outcome, error: ERROR_ELSEWHERE } : outcome;
}

function parseBatch(data: string | null): Batch | undefined {
  return data === null ? undefined : BatchRecord.parse(JSON.parse(data));
}
