import type { Ports } from '../shared/ports/ports.ts';
import type { QueueSettings } from '../shared/queue/queues.ts';
import type { Runtime } from '../shared/runtime.ts';
import type { Settings } from '../shared/settings.ts';
import type { Logger } from '../shared/telemetry/logger.ts';
import type { Lanes } from './lanes.ts';

/**
 * What the workers of all queues are started with. On their connection a worker waits for jobs: it must outlast an outage
 * of Redis, and has no deadline for a command.
 */
export interface Work extends Required<QueueSettings> {
  ports: Ports;
  settings: Settings;
  log: Logger;
  /** The places in which leases are taken down, whoever asks for it. */
  lanes: Lanes;
  /** Work waits here while Redis refuses writes. */
  gate: Runtime['gate'];
  /** Hears of trouble with the queues. */
  onQueueError: Runtime['onStoreError'];
}
