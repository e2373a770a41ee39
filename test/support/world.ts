import { inject } from 'vitest';
import { Admin } from './admin.ts';
import type { Leasehold } from './leasehold.ts';
import { type Reach, TRANSPORTS, type TransportName } from './transports/transports.ts';

/** A Leasehold on the real cluster and the real Redis, and what tests need around it. */
export interface World extends Leasehold, Reach {
  admin: Admin;
  cluster: { url: string; caPem: string };
  /** Longest token that the cluster gives, in seconds. */
  maxTokenSeconds: number | undefined;
  redisUrl: string;
}

/** Opens one that reaches the cluster as the project of the test run says, or as is asked. */
export async function openWorld(
  overrides: Record<string, string> = {},
  transport: TransportName = inject('transport'),
): Promise<World> {
  const { url, caPem, adminToken, maxTokenSeconds } = inject('controlPlane');
  const redisUrl = inject('redisUrl');
  const cluster = { url, caPem };
  const leasehold = await TRANSPORTS[transport](cluster, redisUrl, overrides);
  return { ...leasehold, admin: new Admin(cluster, adminToken), cluster, maxTokenSeconds, redisUrl };
}
