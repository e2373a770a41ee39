import pLimit from 'p-limit';
import type { Ports } from '../ports/ports.ts';
import { countSwept } from '../telemetry/metrics.ts';

/** The alarm has rung by then, where it was set. */
const GRACE_MS = 5_000;

const PAGE = 500;

const AT_ONCE = 32;

/**
 * Sets the alarm anew for what wants attention and does not get it, because its job was lost: leases that are overdue or
 * were left half-issued, and batches that have not ended. Costs as much as there is to find. Returns how many leases that
 * were. Throws Unavailable.
 */
export async function sweep(ports: Ports): Promise<number> {
  const limit = pLimit(AT_ONCE);
  const now = ports.clock.now();
  let found = 0;
  let page: string[];
  do {
    page = await ports.leases.overdue(now - GRACE_MS, { offset: found, limit: PAGE });
    await Promise.all(page.map((id) => limit(() => ports.alarm.move(id, now))));
    found += page.length;
  } while (page.length === PAGE);
  if (found > 0) {
    countSwept('overdue lease', found);
    ports.log.info({ leases: found }, 'sweep: set the alarm of overdue leases anew');
  }
  for (const batch of await ports.batches.unfinished()) {
    await ports.alarm.wakeForBatch(batch);
  }
  return found;
}
