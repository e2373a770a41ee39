import { DelayedError, type Job, Worker } from 'bullmq';
import { runBatch } from '../shared/leases/batch.ts';
import { BATCH_QUEUE, type BatchJob } from '../shared/queue/queues.ts';
import { batchPool } from './batch-pool.ts';
import { failures } from './failures.ts';
import { ReturnTimes } from './return-times.ts';
import type { Work } from './work.ts';
import { workerOptions } from './worker-options.ts';

/** Batches that one worker works on at the same time, and those of one caller among them. */
const BATCHES_AT_ONCE = 64;
const BATCHES_OF_A_CALLER = 4;

/**
 * Does what batches ask for; a batch whose worker dies is begun anew by another. Their leases share the lanes with
 * those that are due. A caller who asks for many batches at once waits behind their own.
 */
export function startBatchWorker(work: Work): Worker {
  const { ports, lanes, gate, backend, onQueueError } = work;
  const running = new Map<string, number>();
  const returnTimes = new ReturnTimes(ports.random);
  const pool = batchPool(ports, lanes);

  async function onWake(job: Job<BatchJob>, token: string | undefined): Promise<void> {
    const { batchId } = job.data;
    const caller = (await gate.retried(() => ports.batches.get(batchId)))?.principal ?? '';
    const ofCaller = running.get(caller) ?? 0;
    if (ofCaller >= BATCHES_OF_A_CALLER) {
      const now = Date.now();
      await job.moveToDelayed(now + returnTimes.next(caller, now), token);
      throw new DelayedError();
    }
    running.set(caller, ofCaller + 1);
    try {
      await gate.retried(() => runBatch(ports, batchId, pool));
    } finally {
      leave(caller);
    }
  }

  function leave(caller: string): void {
    const left = (running.get(caller) ?? 1) - 1;
    if (left > 0) {
      running.set(caller, left);
    } else {
      running.delete(caller);
    }
  }

  const worker = new Worker<BatchJob>(
    BATCH_QUEUE,
    onWake,
    { ...workerOptions(work), concurrency: BATCHES_AT_ONCE },
    backend,
  );
  worker.on('error', onQueueError);
  worker.on('failed', failures(work, 'batch failed; will retry'));
  return worker;
}
