import { type JobsOptions, Queue } from 'bullmq';
import type { Alarm } from '../ports/alarm.ts';
import { storeCall } from '../redis/store-call.ts';
import { EXPIRY_QUEUE, type ExpiryJob, type QueueSettings } from './expiry-queue.ts';

/** Nothing is given up: a job is tried until it is done. How long to wait in between, the worker says. */
const JOB_OPTIONS: JobsOptions = {
  attempts: Number.MAX_SAFE_INTEGER,
  backoff: { type: 'custom' },
  removeOnComplete: true,
  removeOnFail: false,
  // Without end, so would be the stacks that BullMQ keeps with the job. The lease itself says why.
  stackTraceLimit: 0,
};

/** The alarm clock as delayed jobs of BullMQ. */
export class BullmqAlarm implements Alarm {
  readonly #queue: Queue<ExpiryJob>;
  readonly #now: () => number;

  constructor(settings: QueueSettings, now: () => number, onError: (error: Error) => void) {
    this.#queue = new Queue<ExpiryJob>(EXPIRY_QUEUE, { ...settings, defaultJobOptions: JOB_OPTIONS });
    this.#queue.on('error', onError);
    this.#now = now;
  }

  async set(leaseId: string, at: number): Promise<void> {
    await storeCall(() => this.#queue.add('expire', { leaseId }, { jobId: leaseId, delay: this.#delay(at) }));
  }

  /** A job that runs just now is left alone: it looks at the lease itself, and rings again where that is not due. */
  async move(leaseId: string, at: number): Promise<void> {
    await storeCall(async () => {
      const job = await this.#queue.getJob(leaseId);
      if (!job) {
        return this.set(leaseId, at);
      }
      try {
        await job.changeDelay(this.#delay(at));
      } catch (error) {
        if (await job.isDelayed()) {
          throw error;
        }
      }
    });
  }

  async clear(leaseId: string): Promise<void> {
    await storeCall(() => this.#queue.remove(leaseId));
  }

  close(): Promise<void> {
    return this.#queue.close();
  }

  #delay(at: number): number {
    return Math.max(0, at - this.#now());
  }
}
