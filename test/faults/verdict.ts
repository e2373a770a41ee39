import { setTimeout as sleep } from 'node:timers/promises';
import type { Lease } from '../../src/shared/domain/lease.ts';
import type { HandedOut, Installation } from './installation.ts';
import { BOUND_MS, dueEnd } from './patience.ts';

/** What a fault left behind. All should be 0. */
export interface Verdict {
  /** Objects of the installation that are in the cluster though all of its leases have ended. */
  orphans: number;
  /** Leases that live past their end and the bound. */
  overdue: number;
  /** Tokens without a record or cut off before the end that their holders were told, and touched objects of others. */
  lost: number;
}

/** Whose leases and objects are looked at. */
export type Judged = Pick<Installation, 'ports' | 'name' | 'handedOut' | 'movedBy'> & {
  site: Pick<Installation['site'], 'admin' | 'canaries'>;
};

const LOOK_MS = 250;

export interface Leniency {
  /** When the cluster and the store answered again: the bound counts from there. */
  since?: number;
  /** How long objects may stay after the leases: those that belong to none are found by reading back. */
  orphansWithinMs?: number;
}

/** Waits until all leases have ended, or the first has outlived the bound, and looks at what is left. */
export async function judge(installation: Judged, { since = 0, orphansWithinMs = 0 }: Leniency = {}): Promise<Verdict> {
  const overdue = await countOverdue(installation, since);
  const orphans = await countOrphans(installation, orphansWithinMs);
  const cutOff = await Promise.all(installation.handedOut.map((handedOut) => isLost(installation, handedOut)));
  const touched = await installation.site.canaries.countTouched();
  return { orphans, overdue, lost: cutOff.filter(Boolean).length + touched };
}

async function countOverdue(installation: Judged, since: number): Promise<number> {
  for (;;) {
    const live = await liveLeases(installation);
    const late = live.filter((lease) => Date.now() > Math.max(since, dueEnd(lease)) + BOUND_MS);
    if (late.length > 0 || live.length === 0) {
      return late.length;
    }
    await sleep(LOOK_MS);
  }
}

/** All that live, trials too. */
export async function liveLeases({ ports }: Pick<Judged, 'ports'>): Promise<Lease[]> {
  const due = await ports.leases.dueBefore(Number.MAX_SAFE_INTEGER, { offset: 0, limit: 1000 });
  const leases = await Promise.all(due.map(({ leaseId }) => ports.leases.get(leaseId)));
  return leases.filter((lease) => lease !== undefined);
}

async function countOrphans({ site, name }: Judged, withinMs: number): Promise<number> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    const { length } = await site.admin.leaseholdObjects(name);
    if (length === 0 || Date.now() >= deadline) {
      return length;
    }
    await sleep(LOOK_MS);
  }
}

/** The end that a holder was told, in a time that was moved near. */
export function toldEnd({ movedBy }: Pick<Judged, 'movedBy'>, { id, expireTime }: HandedOut): number {
  return expireTime - (movedBy.get(id) ?? 0);
}

async function isLost(installation: Judged, handedOut: HandedOut): Promise<boolean> {
  const lease = await installation.ports.leases.get(handedOut.id);
  const wasCutOff =
    lease?.state === 'EXPIRED' && lease.endTime !== undefined && lease.endTime < toldEnd(installation, handedOut);
  return lease === undefined || wasCutOff;
}
