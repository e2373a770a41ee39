import { DelayedError, type Job, Worker } from 'bullmq';
import { clusterOf } from '../shared/domain/config.ts';
import type { Lease } from '../shared/domain/lease.ts';
import { expire } from '../shared/leases/expire.ts';
import { ownAccess } from '../shared/leases/own-access.ts';
import { EXPIRY_QUEUE, type ExpiryJob } from '../shared/queue/queues.ts';
import { failures } from './failures.ts';
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
  const { ports, settings, gate, backend, onQueueError } = work;
  const lanes = new Lanes(Math.ceil(settings.LEASEHOLD_WORKER_CONCURRENCY * LANE_SHARE), LANE_PATIENCE_MS);

  async function onAlarm(job: Job<ExpiryJob>, token: string | undefined): Promise<void> {
    const ringAgainAt = await gate.retried(() => look(job.data.leaseId));
    if (ringAgainAt !== undefined) {
      const waitMs = (ringAgainAt === LANE_IS_STUCK ? soon() : ringAgainAt) - ports.clock.now();
      // BullMQ wants it by the clock of this process, and has it stored by ours.
      await job.moveToDelayed(Date.now() + waitMs, token);
      throw new DelayedError();
    }
  }

  async function look(leaseId: string): Promise<number | undefined | typeof LANE_IS_STUCK> {
    const lease = await ports.leases.get(leaseId);
    return lease && (await lanes.run(await laneOf(lease), () => expire(ports, lease)));
  }

  async function laneOf(lease: Lease): Promise<string> {
    const access = await ownAccess(ports, lease);
    return access ? clusterOf(access) : lease.accessId;
  }

  function soon(): number {
    return ports.clock.now() + STUCK_RETRY_MS * (0.5 + ports.random() / 2);
  }

  const worker = new Worker<ExpiryJob>(
    EXPIRY_QUEUE,
    onAlarm,
    { ...workerOptions(work), concurrency: settings.LEASEHOLD_WORKER_CONCURRENCY },
    backend,
  );
  worker.on('error', onQueueError);
  worker.on('failed', failures(work, 'alarm failed; will retry'));
  return worker;
}
