import { setTimeout as sleep } from 'node:timers/promises';
import { DelayedError, type Job, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { expire } from '../shared/leases/expire.ts';
import type { Ports } from '../shared/ports/ports.ts';
import { EXPIRY_QUEUE, type ExpiryJob } from '../shared/queue/expiry-queue.ts';
import type { Service } from '../shared/run-process.ts';
import { createRuntime } from '../shared/runtime.ts';
import type { Settings } from '../shared/settings.ts';
import type { Logger } from '../shared/telemetry/logger.ts';
import { retryDelay } from './retry-delay.ts';

/** Starts the worker: it takes leases down when their alarms ring. `stop` lets the jobs under way end. */
export async function startWorker(settings: Settings, log: Logger): Promise<Service> {
  const runtime = await createRuntime(settings, log);
  // A worker waits at this connection for jobs: it must outlast an outage of Redis, and has no deadline for a command.
  const connection = new Redis(settings.LEASEHOLD_REDIS_URL, { maxRetriesPerRequest: null });
  const worker = new Worker<ExpiryJob>(EXPIRY_QUEUE, (job, token) => onAlarm(runtime.ports, job, token), {
    connection,
    prefix: runtime.keys.queuePrefix,
    concurrency: settings.LEASEHOLD_WORKER_CONCURRENCY,
    // A job that a killed worker left is taken over, as often as that happens.
    maxStalledCount: Number.MAX_SAFE_INTEGER,
    settings: {
      backoffStrategy: (tries) =>
        retryDelay(tries, settings.LEASEHOLD_RETRY_INITIAL * 1000, settings.LEASEHOLD_RETRY_MAX * 1000),
    },
  });
  connection.on('error', (error) => log.warn({ err: error }, 'Redis connection'));
  worker.on('error', (error) => log.warn({ err: error }, 'expiry queue'));
  worker.on('failed', (job, error) =>
    log.warn(
      { lease: job?.data.leaseId, tries: job?.attemptsMade, err: error },
      'lease not taken down yet; will retry',
    ),
  );
  await worker.waitUntilReady();
  log.info('working');

  return {
    async stop() {
      // While Redis is away the queue cannot be left in order: what is under way is then taken over by another worker.
      await Promise.race([worker.close(), sleep(settings.LEASEHOLD_DRAIN_TIMEOUT * 1000, undefined, { ref: false })]);
      connection.disconnect();
      await runtime.close();
    },
  };
}

async function onAlarm(ports: Ports, job: Job<ExpiryJob>, token: string | undefined): Promise<void> {
  const ringAgainAt = await expire(ports, job.data.leaseId);
  if (ringAgainAt !== undefined) {
    await job.moveToDelayed(ringAgainAt, token);
    throw new DelayedError();
  }
}
