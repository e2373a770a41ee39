import { DelayedError, type Job, Worker } from 'bullmq';
import { clusterOf } from '../shared/domain/config.ts';
import type { Lease } from '../shared/domain/lease.ts';
import { expire } from '../shared/leases/expire.ts';
import { ownAccess } from '../shared/leases/own-access.ts';
import { EXPIRY_QUEUE, type ExpiryJob } from '../shared/queue/queues.ts';
import { LANE_IS_STUCK, Lanes } from './lanes.ts';
import type { Work } from './work.ts';
import { workerOptions } from './worker-options.ts';

/** One cluster takes no more than this part of the worker. */
const LANE_SHARE = 1 / 4;

/** A healthy API server ends a delete within some milliseconds. */
const LANE_PATIENCE_MS = 500;

/** When a lease whose cluster's lane is stuck is looked at again: about then, so that they do not come back together. */
const STUCK_RETRY_MS = 2_000;

/** Takes leases down when their alarms ring. */
export function startExpiryWorker(work: Work): Worker {
  const { ports, settings, log } = work;
  const lanes = new Lanes(Math.ceil(settings.LEASEHOLD_WORKER_CONCURRENCY * LANE_SHARE), LANE_PATIENCE_MS);

  async function onAlarm(job: Job<ExpiryJob>, token: string | undefined): Promise<void> {
    const lease = await ports.leases.get(job.data.leaseId);
    const ringAgainAt = lease && (await lanes.run(await laneOf(lease), () => expire(ports, lease)));
    if (ringAgainAt !== undefined) {
      await job.moveToDelayed(ringAgainAt === LANE_IS_STUCK ? soon() : ringAgainAt, token);
      throw new DelayedError();
    }
  }

  async function laneOf(lease: Lease): Promise<string> {
    const access = await ownAccess(ports, lease);
    return access ? clusterOf(access) : lease.accessId;
  }

  function soon(): number {
    return ports.clock.now() + STUCK_RETRY_MS * (0.5 + ports.random() / 2);
  }

  const worker = new Worker<ExpiryJob>(EXPIRY_QUEUE, onAlarm, {
    ...workerOptions(work),
    concurrency: settings.LEASEHOLD_WORKER_CONCURRENCY,
  });
  worker.on('error', (error) => log.warn({ err: error }, 'expiry queue'));
  worker.on('failed', (job, error) => log.warn({ lease: job?.data.leaseId, err: error }, 'alarm failed; will retry'));
  return worker;
}
