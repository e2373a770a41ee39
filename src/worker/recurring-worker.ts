import { Queue, Worker } from 'bullmq';
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
 * everything there: each worker looks after it.
 */
export async function startRecurringWorker(
  work: Work,
  { queueName, everyMs, run }: Recurring,
): Promise<{ close(): Promise<void> }> {
  const { connection, prefix, log } = work;
  const queue = new Queue(queueName, { connection, prefix });
  const worker = new Worker(queueName, async () => void (await run()), workerOptions(work));
  const onError = (error: Error) => log.warn({ queue: queueName, err: error }, 'recurring work');
  queue.on('error', onError);
  worker.on('error', onError);
  worker.on('failed', (_job, error) => log.warn({ queue: queueName, err: error }, 'a run failed; the next one comes'));

  await keepSchedule(queue, everyMs);
  const keeping = setInterval(() => void keepSchedule(queue, everyMs).catch(onError), everyMs);
  return {
    async close() {
      clearInterval(keeping);
      await Promise.all([worker.close(), queue.close()]);
    },
  };
}

async function keepSchedule(queue: Queue, everyMs: number): Promise<void> {
  await queue.setGlobalConcurrency(1);
  const schedule = await queue.getJobScheduler(queue.name);
  const isKept =
    schedule?.every === everyMs && Math.abs((schedule.next ?? 0) - Date.now()) < OFF_BY_INTERVALS * everyMs;
  if (!isKept) {
    const opts = { removeOnComplete: true, removeOnFail: true };
    await queue.removeJobScheduler(queue.name);
    await queue.upsertJobScheduler(queue.name, { every: everyMs }, { name: queue.name, opts });
  }
}
