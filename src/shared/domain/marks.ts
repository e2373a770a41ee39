import type { Lease } from './lease.ts';

/** What every object of a lease carries, so that the cluster can be read back without our records. */
export interface Marks {
  labels: Record<string, string>;
  annotations: Record<string, string>;
}

/** `installation` tells our objects from those of another Leasehold on the same cluster. */
export function marksOf(lease: Lease, installation: string): Marks {
  return {
    labels: {
      'app.kubernetes.io/managed-by': 'leasehold',
      'leasehold.dev/installation': installation,
      'leasehold.dev/lease': lease.id,
      'leasehold.dev/config': lease.config,
    },
    annotations: {
      'leasehold.dev/expires-at': new Date(lease.expireTime).toISOString(),
    },
  };
}
