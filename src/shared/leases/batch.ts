import { isDeepStrictEqual } from 'node:util';
import { type Batch, type BatchOutcome, carries, concerns } from '../domain/batch.ts';
import { AlreadyExists, NotFound } from '../domain/errors.ts';
import type { Ports } from '../ports/ports.ts';
import { allConfigs } from './all-configs.ts';
import { findConfig } from './find-config.ts';
import { revokeMatching, type TakeDownPool } from './revoke-matching.ts';

/** A lease that was planned before the batch is in the store by then, or not recorded at all. */
const RECORDED_WITHIN_MS = 2_000;

/** Between two looks of a follower for news: the pause doubles while there are none. */
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 1_000;

/**
 * Records a batch and wakes the worker for it: from here on it is done, whoever stops in between. A batch of the same id
 * is returned as it is. Throws NotFound (no such config), AlreadyExists where that is for other leases or another caller's, and Unavailable.
 */
export async function startBatch(ports: Ports, asked: Omit<Batch, 'createTime'>): Promise<Batch> {
  const batch = { ...asked, createTime: ports.clock.now() };
  if (asked.target.kind === 'config' && !(await ports.batches.get(asked.id))) {
    // A mistyped name must not look like success.
    await findConfig(ports, asked.target.config);
  }
  const earlier = await ports.batches.record(batch);
  if (earlier && !isSameRequest(earlier, batch)) {
    throw new AlreadyExists('REQUEST_ID_REUSED', `this request_id was used for another batch`);
  }
  if (!earlier) {
    const { id, principal, target, force = false } = batch;
    ports.log.info({ batch: id, principal, target, force }, 'batch revocation asked for');
  }
  await ports.alarm.wakeForBatch(batch.id);
  return earlier ?? batch;
}

function isSameRequest(one: Batch, other: Batch): boolean {
  return (
    one.principal === other.principal &&
    isDeepStrictEqual(one.target, other.target) &&
    (one.force ?? false) === (other.force ?? false)
  );
}

/**
 * Does what a batch asks for, in the places of `pool`; the worker calls it, and calls it again where it throws or dies.
 */
export async function runBatch(ports: Ports, id: string, pool?: TakeDownPool): Promise<void> {
  const batch = await ports.batches.get(id);
  if (!batch || batch.endTime !== undefined) {
    return;
  }
  await revokeMatching(ports, {
    configs: await configsOf(ports, batch),
    principal: batch.target.kind === 'principal' ? batch.target.principal : undefined,
    matches: (lease) => concerns(batch, lease),
    force: batch.force,
    pool,
    report: (outcome) => ports.batches.report(batch, outcome),
    notBefore: batch.createTime + RECORDED_WITHIN_MS,
  });
  await ports.batches.end(id, ports.clock.now());
  ports.log.info({ batch: id, principal: batch.principal }, 'batch revocation done: every lease was tried');
}

/** Names of the configs whose leases a batch is about; undefined: those of any. */
async function configsOf(ports: Ports, { target }: Batch): Promise<string[] | undefined> {
  if (target.kind === 'config') {
    return [target.config];
  }
  if (target.kind !== 'labels') {
    return undefined;
  }
  const names: string[] = [];
  for await (const config of allConfigs(ports)) {
    if (carries(config, target.labels)) {
      names.push(config.name);
    }
  }
  return names;
}

/** News of a batch: what became of further leases, and whether it has ended. */
export interface BatchNews {
  outcomes: BatchOutcome[];
  ended: boolean;
}

/** Tells the news of a batch from its beginning to its end, each as it comes. Throws NotFound and Unavailable. */
export async function* followBatch(ports: Ports, id: string, signal?: AbortSignal): AsyncIterable<BatchNews> {
  let after = '';
  let pauseMs = FIRST_PAUSE_MS;
  for (;;) {
    // Read before the reports: what is reported by the time of the end is then among them.
    const batch = await ports.batches.get(id);
    if (!batch) {
      throw new NotFound('batch', id);
    }
    const { outcomes, next } = await ports.batches.reports(id, after);
    const ended = batch.endTime !== undefined && outcomes.length === 0;
    if (ended || outcomes.length > 0) {
      yield { outcomes, ended };
    }
    if (ended) {
      return;
    }
    after = next;
    if (outcomes.length > 0) {
      pauseMs = FIRST_PAUSE_MS;
    } else {
      await ports.clock.sleep(pauseMs, signal);
      pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
    }
  }
}
