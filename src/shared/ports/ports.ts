import type { Alarm } from './alarm.ts';
import type { Clusters } from './cluster.ts';
import type { ConfigStore } from './config-store.ts';
import type { LeaseStore } from './lease-store.ts';

/** Warns and tells; an error that reaches a caller is not logged here. */
interface Log {
  info(fields: Record<string, unknown>, message: string): void;
  warn(fields: Record<string, unknown>, message: string): void;
}

/** All that the use cases need of the world. */
export interface Ports {
  configs: ConfigStore;
  leases: LeaseStore;
  alarm: Alarm;
  clusters: Clusters;
  log: Log;
  /** Milliseconds since the epoch. */
  now(): number;
  /** Goes into the labels of objects: tells them from another Leasehold's. */
  installation: string;
}
