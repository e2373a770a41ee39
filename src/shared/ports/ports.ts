import type { RetryPolicy } from '../domain/retry-delay.ts';
import type { Alarm } from './alarm.ts';
import type { BatchStore } from './batch-store.ts';
import type { CallBudgets } from './call-budgets.ts';
import type { Clusters } from './cluster.ts';
import type { ConfigStore } from './config-store.ts';
import type { GatewayLinks, GatewayStore } from './gateway-store.ts';
import type { LeaseStore } from './lease-store.ts';
import type { RenewalNotes } from './renewal-notes.ts';

/** Warns and tells; an error that reaches a caller is not logged here. */
interface Log {
  info(fields: Record<string, unknown>, message: string): void;
  warn(fields: Record<string, unknown>, message: string): void;
}

interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Rejects where `signal` aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** How patient the use cases are. */
export interface Policy {
  retry: RetryPolicy;
  /** Only what wants attention within this time has its alarm set; the sweep sets those of what comes into it. */
  alarmHorizonMs: number;
  /** How long issuing may take before its issuer counts as dead: longer than its calls with their deadlines. */
  issueTimeoutMs: number;
  /** How long taking a lease down may take before whoever does it counts as dead. */
  takeDownTimeoutMs: number;
  /** How long a call to a cluster whose outcome is unknown may still take effect: longer than an API server works on one. */
  settleMs: number;
}

/** All that the use cases need of the world. */
export interface Ports {
  configs: ConfigStore;
  leases: LeaseStore;
  batches: BatchStore;
  callBudgets: CallBudgets;
  gateways: GatewayStore;
  gatewayLinks: GatewayLinks;
  renewalNotes: RenewalNotes;
  alarm: Alarm;
  clusters: Clusters;
  log: Log;
  clock: Clock;
  /** 0 to 1. */
  random(): number;
  policy: Policy;
  /** Goes into the labels of objects: tells them from another Leasehold's. */
  installation: string;
}
