import type { LeaseLimits } from '../../src/shared/domain/lease-limits.ts';
import type { ConfigStore } from '../../src/shared/ports/config-store.ts';
import type { LeaseStore } from '../../src/shared/ports/lease-store.ts';

/** Empty stores for one test. */
export interface Stores {
  leases: LeaseStore;
  configs: ConfigStore;
  /** In how many ms an access goes; undefined: it stays. */
  accessGoesIn(id: string): Promise<number | undefined>;
}

/** `retentionMs`: how long ended leases are kept. */
export type OpenStores = (retentionMs: number, limits: LeaseLimits) => Stores;

/** More than any test reaches. */
export const GENEROUS: LeaseLimits = {
  perConfig: 1_000_000,
  perPrincipal: 1_000_000,
  issueRate: 1_000_000,
  endedPerPrincipal: 1_000_000,
  ended: 1_000_000,
};

export const RETENTION_MS = 24 * 60 * 60 * 1000;
