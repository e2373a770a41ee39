import { setTimeout as sleep } from 'node:timers/promises';
import type { Ports } from '../shared/ports/ports.ts';
import type { Service } from '../shared/run-process.ts';
import { createRuntime } from '../shared/runtime.ts';
import type { Settings } from '../shared/settings.ts';
import type { Logger } from '../shared/telemetry/logger.ts';
import { startBatchWorker } from './batch-worker.ts';
import { startExpiryWorker } from './expiry-worker.ts';
import { startSweepWorker } from './sweep-worker.ts';

/**
 * Starts the worker: it takes leases down when their alarms ring, revokes batches, and sweeps. `stop` lets the jobs under
 * way end. `around` may stand between it and its ports.
 */
export async function startWorker(
  settings: Settings,
  log: Logger,
  around: (ports: Ports) => Ports = (ports) => ports,
): Promise<Service> {
  const runtime = await createRuntime(settings, log);
  const connection = await runtime.connectForJobs();
  const work = { ports: around(runtime.ports), settings, log, connection, prefix: runtime.keys.queuePrefix };
  const expiries = startExpiryWorker(work);
  const batches = startBatchWorker(work);
  const sweeps = await startSweepWorker(work);
  await Promise.all([expiries.waitUntilReady(), batches.waitUntilReady()]);
  log.info('working');

  return {
    async stop() {
      const closed = Promise.all([expiries.close(), batches.close(), sweeps.close()]);
      // While Redis is away the queue cannot be left in order: what is under way is then taken over by another worker.
      await Promise.race([closed, sleep(settings.LEASEHOLD_DRAIN_TIMEOUT * 1000, undefined, { ref: false })]);
      await runtime.close();
    },
  };
}
