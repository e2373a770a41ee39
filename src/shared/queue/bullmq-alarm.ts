import { createRedisBackend, type Job, type JobsOptions, Queue } from 'bullmq';
import type { Alarm, Appointment } from '../ports/alarm.ts';
import { storeCall } from '../redis/store-call.ts';
import { BATCH_QUEUE, type BatchJob, EXPIRY_QUEUE, type ExpiryJob, FEW_EVENTS, type QueueSettings } from './queues.ts';

/** Nothing is given up: a job is tried until it is done. How long to wait in between, the worker says. */
const JOB_OPTIONS: JobsOptions = {
  attempts: Number.MAX_SAFE_INTEGER,
  backoff: { type: 'custom' },
  removeOnComplete: true,
  removeOnFail: true,
  // Without end, so would be the stacks that BullMQ keeps with the job. The lease itself says why.
  stackTraceLimit: 0,
};

/** A lease whose take-down keeps failing may ring many times a second, where the settings say so. */
const MAX_RUNS_MEANWHILE = 10;

/** The alarm clock as delayed jobs of BullMQ. */
export class BullmqAlarm implements Alarm {
  readonly #expiries: Queue<ExpiryJob>;
  readonly #batches: Queue<BatchJob>;
  readonly #now: () => number;

  /** `now`: by it the appointments are. */
  constructor(settings: QueueSettings, now: () => number, onError: (error: Error) => void) {
    const { connection, prefix, backend = createRedisBackend } = settings;
    const options = { connection, prefix, defaultJobOptions: JOB_OPTIONS, streams: FEW_EVENTS };
    this.#expiries = new Queue<ExpiryJob>(EXPIRY_QUEUE, options, backend).on('error', onError);
    this.#batches = new Queue<BatchJob>(BATCH_QUEUE, options, backend).on('error', onError);
    this.#now = now;
  }

  async set(appointments: readonly Appointment[]): Promise<void> {
    await storeCall(() => this.#expiries.addBulk(appointments.map((appointment) => this.#jobFor(appointment))));
  }

  async move(appointment: Appointment): Promise<void> {
    await storeCall(async () => {
      const job = await this.#expiries.getJob(appointment.leaseId);
      if (job) {
        await this.#postpone(job, appointment.at);
      } else {
        await this.set([appointment]);
      }
    });
  }

  async wakeForBatch(batchId: string): Promise<void> {
    await storeCall(() => this.#batches.add('revoke', { batchId }, { jobId: batchId }));
  }

  async close(): Promise<void> {
    await Promise.all([this.#expiries.close(), this.#batches.close()]);
  }

  /**
   * A job that runs just now is left alone: it looks at the lease itself, and rings again where that is not due. One that
   * has run in the meantime waits again, and is moved after all.
   */
  async #postpone(job: Job<ExpiryJob>, at: number, triesLeft = MAX_RUNS_MEANWHILE): Promise<void> {
    try {
      await job.changeDelay(this.#delay(at));
    } catch (error) {
      if (await job.isDelayed()) {
        if (triesLeft === 0) {
          throw error;
        }
        await this.#postpone(job, at, triesLeft - 1);
      }
    }
  }

  /** Named by the lease: while there is one of that name, another is not added. */
  #jobFor({ leaseId, at }: Appointment) {
    // BullMQ adds the delay to the time at which a job was made, by default that of this process's own clock.
    return {
      name: 'expire',
      data: { leaseId },
      opts: { jobId: leaseId, timestamp: this.#now(), delay: this.#delay(at) },
    };
  }

  #delay(at: number): number {
    return Math.max(0, at - this.#now());
  }
}
