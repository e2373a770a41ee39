import { DelayedError, type Job, Worker } from 'bullmq';
import { hasEnded } from '../shared/domain/lease.ts';
import { expire } from '../shared/leases/expire.ts';
import { EXPIRY_QUEUE, type ExpiryJob } from '../shared/queue/queues.ts';
import { countTurnedAway } from '../shared/telemetry/metrics.ts';
import { claimOf } from './claim-of.ts';
import { failures } from './failures.ts';
import { TURNED_AWAY } from './lanes.ts';
import { ReturnTimes } from './return-times.ts';
import type { Work } from './work.ts';
import { workerOptions } from './worker-options.ts';

/** Alarms that are looked at while all places are taken, and all seats for those that wait. */
const LOOKS_AT_ONCE = 16;

/** Takes leases down when their alarms ring. */
export function startExpiryWorker(work: Work): Worker {
  const { ports, lanes, gate, backend, onQueueError } = work;
  const returnTimes = new ReturnTimes(ports.random);

  async function onAlarm(job: Job<ExpiryJob>, token: string | undefined): Promise<void> {
    const ringAgainAt = await gate.retried(() => look(job.data.leaseId));
    if (ringAgainAt !== undefined) {
      // BullMQ wants it by the clock of this process, and has it stored by ours.
      await job.moveToDelayed(Date.now() + ringAgainAt - ports.clock.now(), token);
      throw new DelayedError();
    }
  }

  /** Returns when to ring again; undefined: never. */
  async function look(leaseId: string): Promise<number | undefined> {
    const lease = await ports.leases.get(leaseId);
    if (!lease || hasEnded(lease)) {
      return undefined;
    }
    const claim = await claimOf(ports, lease);
    const ringAgainAt = await lanes.run(claim, () => expire(ports, lease));
    if (ringAgainAt !== TURNED_AWAY) {
      return ringAgainAt;
    }
    countTurnedAway(lease.config);
    const now = ports.clock.now();
    return now + returnTimes.next(claim.principalInConfig, now);
  }

  const worker = new Worker<ExpiryJob>(
    EXPIRY_QUEUE,
    onAlarm,
    { ...workerOptions(work), concurrency: lanes.places + lanes.seats + LOOKS_AT_ONCE },
    backend,
  );
  worker.on('error', onQueueError);
  worker.on('failed', failures(work, 'alarm failed; will retry'));
  return worker;
}
