import { Worker } from 'bullmq';
import { runBatch } from '../shared/leases/batch.ts';
import { BATCH_QUEUE, type BatchJob } from '../shared/queue/queues.ts';
import { failures } from './failures.ts';
import type { Work } from './work.ts';
import { workerOptions } from './worker-options.ts';

/** Batches that one worker works on at the same time. */
const BATCHES_AT_ONCE = 4;

/** Does what batches ask for; a batch whose worker dies is begun anew by another. */
export function startBatchWorker(work: Work): Worker {
  const { ports, gate, backend, onQueueError } = work;
  const worker = new Worker<BatchJob>(
    BATCH_QUEUE,
    ({ data }) => gate.retried(() => runBatch(ports, data.batchId)),
    { ...workerOptions(work), concurrency: BATCHES_AT_ONCE },
    backend,
  );
  worker.on('error', onQueueError);
  worker.on('failed', failures(work, 'batch failed; will retry'));
  return worker;
}
