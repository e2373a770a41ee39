import type { BackendFactory, ConnectionOptions, RedisQueueBackend } from 'bullmq';

/** One delayed job for each lease that wants attention soon, named by the lease's id. */
export const EXPIRY_QUEUE = 'expiry';

export interface ExpiryJob {
  leaseId: string;
}

/** One job for each batch that has not ended, named by the batch's id. */
export const BATCH_QUEUE = 'batch';

export interface BatchJob {
  batchId: string;
}

/** The job that sweeps the store again and again; one at a time across all workers. */
export const SWEEP_QUEUE = 'sweep';

/** The job that reads the clusters back again and again. A queue of its own: a slow cluster must not hold up the sweep. */
export const READ_BACK_QUEUE = 'read-back';

/** The job that brings what is sealed under older keys under the primary. */
export const REWRAP_QUEUE = 'rewrap';

/** The job that sees to the cluster tokens again and again. A queue of its own, for the same reason. */
export const CLUSTER_TOKENS_QUEUE = 'cluster-tokens';

/** Nobody reads the events of the queues; by default BullMQ keeps 10,000 of each, about 1 MB. */
export const FEW_EVENTS = { events: { maxLen: 100 } };

/** What both ends of a queue need to know. */
export interface QueueSettings {
  connection: ConnectionOptions;
  /** Before all of BullMQ's keys. */
  prefix: string;
  /** How BullMQ reaches it. Left out: in its own way, by the clock of this process. */
  backend?: BackendFactory<RedisQueueBackend>;
}
