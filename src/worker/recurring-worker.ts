import { Queue, Worker } from 'bullmq';
import { FEW_EVENTS } from '../shared/queue/queues.ts';
import { failures } from './failures.ts';
import { oneAtATime } from './one-at-a-time.ts';
import type { Work } from './work.ts';
import { workerOptions } from './worker-options.ts';

/** A schedule that is behind by so many intervals has lost its next job; one that is so far ahead was set by a wrong clock. */
const OFF_BY_INTERVALS = 3;

/** Work that is done again and again. */
export interface Recurring {
  /** Names its queue, and its one schedule there. */
  queueName: string;
  everyMs: number;
  run(): Promise<unknown>;
}

/**
 * Does recurring work, one run at a time across all workers. The schedule lives in the queue, which may be lost like
 * everything there: each worker looks after it. Where Redis refuses writes, it begins once they are taken.
 */
export async function startRecurringWorker(
  work: Work,
  { queueName, everyMs, run }: Recurring,
): Promise<{ close(): Promise<void> }> {
  const { ports, gate, connection, prefix, backend, onQueueError } = work;
  const queue = new Queue(queueName, { connection, prefix, streams: FEW_EVENTS }, backend);
  const worker = new Worker(queueName, async () => void (await run()), workerOptions(work), backend);
  queue.on('error', onQueueError);
  worker.on('error', onQueueError);
  worker.on('failed', failures(work, `a run failed (${queueName}); the next one comes`));

  const keep = () => keepSchedule(queue, everyMs, ports.clock.now());
  await keep().catch((error: Error) => {
    if (!gate.heard(error)) {
      throw error;
    }
  });
  const keepAgain = oneAtATime(() => keep().catch(onQueueError));
  const keeping = setInterval(keepAgain, everyMs);
  gate.onReopened(keepAgain);
  return {
    async close() {
      clearInterval(keeping);
      await Promise.all([worker.close(), queue.close()]);
    },
  };
}

async function keepSchedule(queue: Queue, everyMs: number, now: number): Promise<void> {
  await queue.setGlobalConcurrency(1);
  const schedule = await queue.getJobScheduler(queue.name);
  const isKept = schedule?.every === everyMs && Math.abs((schedule.next ?? 0) - now) < OFF_BY_INTERVALS * everyMs;
  if (!isKept) {
    const opts = { removeOnComplete: true, removeOnFail: true };
    await queue.removeJobScheduler(queue.name);
    await queue.upsertJobScheduler(queue.name, { every: everyMs }, { name: queue.name, opts });
  }
}
