import { bringNear } from '../support/bring-near.ts';
import { type Judged, liveLeases } from './verdict.ts';

// Leases of faults are long, so that none ends while a slow machine is still on its way to the fault. Once that has happened,
// their ends are moved near, as if their time had passed.

interface NearEnds {
  /** How far off they are then. */
  inMs?: number;
  /** Sets the alarms for them, as for every end that is near. Left out: it is for the sweep to find them. */
  alarms?: boolean;
  /** Those who issue are dead: what is half-issued is theirs no longer. */
  issuersAreDead?: boolean;
}

/** Moves the ends of all leases that live; `movedBy` keeps by how much, for what their holders are told. */
export async function bringEndsNear(installation: Judged, options: NearEnds = {}): Promise<void> {
  const at = Date.now() + (options.inMs ?? 0);
  const live = await liveLeases(installation);
  const { ports, movedBy } = installation;
  await Promise.all(
    live.map(async (lease) => {
      const by = await bringNear(ports, lease, at, options.issuersAreDead ? { issueDeadline: at } : {});
      movedBy.set(lease.id, (movedBy.get(lease.id) ?? 0) + by);
      if (options.alarms) {
        await ports.alarm.move({ leaseId: lease.id, at });
      }
    }),
  );
}
