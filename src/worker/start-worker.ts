import { setTimeout as sleep } from 'node:timers/promises';
import { ClusterTokens } from '../shared/configs/cluster-tokens.ts';
import { ReadBack } from '../shared/leases/read-back.ts';
import { sweep } from '../shared/leases/sweep.ts';
import type { Ports } from '../shared/ports/ports.ts';
import { CLUSTER_TOKENS_QUEUE, READ_BACK_QUEUE, SWEEP_QUEUE } from '../shared/queue/queues.ts';
import type { Service } from '../shared/run-process.ts';
import { createRuntime } from '../shared/runtime.ts';
import type { Settings } from '../shared/settings.ts';
import type { Logger } from '../shared/telemetry/logger.ts';
import { startBatchWorker } from './batch-worker.ts';
import { startExpiryWorker } from './expiry-worker.ts';
import { Lanes } from './lanes.ts';
import { oneAtATime } from './one-at-a-time.ts';
import { startRecurringWorker } from './recurring-worker.ts';
import { rewrapping } from './rewrapping.ts';
import type { Work } from './work.ts';

/** For a place in a lane: a healthy API server ends a delete within some milliseconds. */
const PATIENCE_MS = 500;

/**
 * Starts the worker: it takes leases down when their alarms ring, revokes batches, sweeps, reads the clusters back,
 * re-wraps what is sealed under older keys, and renews cluster tokens. `stop` lets the jobs under way end. `around` may
 * stand between it and its ports.
 */
export async function startWorker(
  settings: Settings,
  log: Logger,
  around: (ports: Ports) => Ports = (ports) => ports,
): Promise<Service> {
  const runtime = await createRuntime(settings, log);
  const connection = await runtime.connectForJobs();
  const { gate } = runtime;
  const work: Work = {
    ports: around(runtime.ports),
    settings,
    log,
    connection,
    prefix: runtime.keys.queuePrefix,
    backend: runtime.queueBackend,
    lanes: new Lanes(settings.LEASEHOLD_WORKER_CONCURRENCY, PATIENCE_MS),
    gate,
    onQueueError: runtime.onStoreError,
  };
  // What fell due meanwhile may have no alarm, because none could be set.
  gate.onReopened(oneAtATime(() => sweep(work.ports, { graceMs: 0 }).catch(runtime.onStoreError)));
  const expiries = startExpiryWorker(work);
  const batches = startBatchWorker(work);
  const sweeping = await startRecurringWorker(work, {
    queueName: SWEEP_QUEUE,
    everyMs: settings.LEASEHOLD_SWEEP_INTERVAL * 1000,
    run: () => sweep(work.ports),
  });
  const readBack = new ReadBack(work.ports);
  const readingBack = await startRecurringWorker(work, {
    queueName: READ_BACK_QUEUE,
    everyMs: settings.LEASEHOLD_READ_BACK_INTERVAL * 1000,
    run: () => readBack.run(),
  });
  const rewrappingKeys = await startRecurringWorker(work, rewrapping(work, runtime));
  const clusterTokens = new ClusterTokens(work.ports);
  const renewing = await startRecurringWorker(work, {
    queueName: CLUSTER_TOKENS_QUEUE,
    everyMs: settings.LEASEHOLD_TOKEN_RENEWAL_INTERVAL * 1000,
    run: () => clusterTokens.run(),
  });
  await Promise.all([expiries.waitUntilReady(), batches.waitUntilReady()]);
  log.info('working');

  return {
    async stop() {
      gate.close();
      const closed = Promise.all(
        [expiries, batches, sweeping, readingBack, rewrappingKeys, renewing].map((part) => part.close()),
      );
      // While Redis is away the queue cannot be left in order: what is under way is then taken over by another worker.
      await Promise.race([closed, sleep(settings.LEASEHOLD_DRAIN_TIMEOUT * 1000, undefined, { ref: false })]);
      await runtime.close();
    },
  };
}
