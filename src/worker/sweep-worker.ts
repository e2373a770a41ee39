import { Queue, Worker } from 'bullmq';
import { ReadBack } from '../shared/leases/read-back.ts';
import { sweep } from '../shared/leases/sweep.ts';
import { SWEEP_QUEUE, type SweepJobName } from '../shared/queue/queues.ts';
import type { Work } from './work.ts';
import { workerOptions } from './worker-options.ts';

/** A schedule that is behind by so many of its intervals has lost its next job. */
const LOST_AFTER_INTERVALS = 3;

/** The sweep's worker, and what ends it. */
export interface SweepWorker {
  close(): Promise<void>;
}

/**
 * Sweeps again and again, one at a time across all workers. The schedules live in the queue, which may be lost like
 * everything there: each worker looks after them.
 */
export async function startSweepWorker(work: Work): Promise<SweepWorker> {
  const { ports, settings, log } = work;
  const intervals: Record<SweepJobName, number> = {
    overdue: settings.LEASEHOLD_SWEEP_INTERVAL * 1000,
    'read-back': settings.LEASEHOLD_READ_BACK_INTERVAL * 1000,
  };
  const readBack = new ReadBack(ports);
  const { connection, prefix } = work;
  const queue = new Queue<unknown, unknown, SweepJobName>(SWEEP_QUEUE, { connection, prefix });
  const worker = new Worker<unknown, unknown, SweepJobName>(
    SWEEP_QUEUE,
    async ({ name }) => void (await (name === 'overdue' ? sweep(ports) : readBack.run())),
    workerOptions(work),
  );
  const onError = (error: Error) => log.warn({ err: error }, 'sweep queue');
  queue.on('error', onError);
  worker.on('error', onError);
  worker.on('failed', (job, error) => log.warn({ sweep: job?.name, err: error }, 'sweep failed; the next one comes'));

  async function keepSchedules(): Promise<void> {
    await queue.setGlobalConcurrency(1);
    for (const [name, every] of Object.entries(intervals) as [SweepJobName, number][]) {
      const schedule = await queue.getJobScheduler(name);
      const isKept = schedule?.every === every && (schedule.next ?? 0) > Date.now() - LOST_AFTER_INTERVALS * every;
      if (!isKept) {
        await queue.removeJobScheduler(name);
        await queue.upsertJobScheduler(name, { every }, { name, opts: { removeOnComplete: true, removeOnFail: true } });
      }
    }
  }

  await keepSchedules();
  const keeping = setInterval(
    () => void keepSchedules().catch((error: unknown) => log.warn({ err: error }, 'sweep schedules not looked after')),
    intervals.overdue,
  );
  return {
    async close() {
      clearInterval(keeping);
      await Promise.all([worker.close(), queue.close()]);
    },
  };
}
