import type { Lease } from './lease.ts';

/** What every object of a lease carries, so that the cluster can be read back without our records. */
export interface Marks {
  labels: Record<string, string>;
  annotations: Record<string, string>;
}

const MANAGED_BY = 'app.kubernetes.io/managed-by';
const INSTALLATION = 'leasehold.dev/installation';
const LEASE = 'leasehold.dev/lease';
const CONFIG = 'leasehold.dev/config';
const EXPIRES_AT = 'leasehold.dev/expires-at';

/** `installation` tells our objects from those of another Leasehold on the same cluster. */
export function marksOf(lease: Lease, installation: string): Marks {
  return {
    labels: { ...ownLabels(installation), [LEASE]: lease.id, [CONFIG]: lease.config },
    annotations: { [EXPIRES_AT]: new Date(lease.expireTime).toISOString() },
  };
}

/** The labels that all objects of an installation carry, and nothing else does. */
export function ownLabels(installation: string): Record<string, string> {
  return { [MANAGED_BY]: 'leasehold', [INSTALLATION]: installation };
}

/** What an object's marks say: its lease, and when that was to end when the object was made. */
export interface ReadMarks {
  leaseId: string;
  /** NaN where the annotation is missing or no time. */
  expireTime: number;
}

/** Reads the marks back; undefined where the object is none of this installation. */
export function readMarks({ labels, annotations }: Marks, installation: string): ReadMarks | undefined {
  const leaseId = labels[LEASE];
  const isOwn = Object.entries(ownLabels(installation)).every(([key, value]) => labels[key] === value);
  return isOwn && leaseId !== undefined
    ? { leaseId, expireTime: Date.parse(annotations[EXPIRES_AT] ?? '') }
    : undefined;
}
