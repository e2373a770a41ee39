import { inject } from 'vitest';
import { Admin } from './admin.ts';
import { type Leasehold, startLeasehold } from './leasehold.ts';

/** A Leasehold on the real cluster and the real Redis, and what tests need around it. */
export interface World extends Leasehold {
  admin: Admin;
  cluster: { url: string; caPem: string };
  /** Longest token that the cluster gives, in seconds. */
  maxTokenSeconds: number | undefined;
  redisUrl: string;
}

export async function openWorld(overrides: Record<string, string> = {}): Promise<World> {
  const { url, caPem, adminToken, maxTokenSeconds } = inject('controlPlane');
  const redisUrl = inject('redisUrl');
  const cluster = { url, caPem };
  const leasehold = await startLeasehold(redisUrl, overrides);
  return { ...leasehold, admin: new Admin(cluster, adminToken), cluster, maxTokenSeconds, redisUrl };
}
