import type { ConnectionOptions } from 'bullmq';

/** The queue between server and worker: one delayed job for each live lease, named by the lease's id. */
export const EXPIRY_QUEUE = 'expiry';

export interface ExpiryJob {
  leaseId: string;
}

/** What both ends of the queue need to know. */
export interface QueueSettings {
  connection: ConnectionOptions;
  /** Before all of BullMQ's keys. */
  prefix: string;
}
