import type { ConnectionOptions } from 'bullmq';
import type { Ports } from '../shared/ports/ports.ts';
import type { Settings } from '../shared/settings.ts';
import type { Logger } from '../shared/telemetry/logger.ts';

/** What the workers of all queues are started with. */
export interface Work {
  ports: Ports;
  settings: Settings;
  log: Logger;
  /** On which a worker waits for jobs: it must outlast an outage of Redis, and has no deadline for a command. */
  connection: ConnectionOptions;
  prefix: string;
}
