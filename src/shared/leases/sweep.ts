import pLimit from 'p-limit';
import type { Appointment } from '../ports/alarm.ts';
import type { Ports } from '../ports/ports.ts';
import { countSwept } from '../telemetry/metrics.ts';

/** Whose time was so long ago is looked after by nobody: its alarm has rung by then, where it was set. */
const GRACE_MS = 5_000;

const PAGE = 500;

const AT_ONCE = 32;

/**
 * Sets the alarms of what will want attention soon, and, anew, of what wants attention and does not get it because its
 * job was lost: leases that are overdue or were left half-issued, and batches that have not ended. Costs as much as is
 * due, however many leases there are. Returns how many were overdue. Throws Unavailable.
 */
export async function sweep(ports: Ports): Promise<number> {
  const now = ports.clock.now();
  const horizon = now + ports.policy.alarmHorizonMs;
  let overdue = 0;
  for await (const page of duePages(ports, horizon)) {
    const missed = page.filter(({ at }) => at < now - GRACE_MS);
    await Promise.all([ports.alarm.set(page.slice(missed.length)), ringNow(ports, missed)]);
    overdue += missed.length;
  }
  if (overdue > 0) {
    countSwept('overdue lease', overdue);
    ports.log.info({ leases: overdue }, 'sweep: set the alarm of overdue leases anew');
  }
  for (const batch of await ports.batches.unfinished()) {
    await ports.alarm.wakeForBatch(batch);
  }
  return overdue;
}

async function* duePages(ports: Ports, before: number): AsyncIterable<Appointment[]> {
  let page: Appointment[];
  let offset = 0;
  do {
    page = await ports.leases.dueBefore(before, { offset, limit: PAGE });
    yield page;
    offset += page.length;
  } while (page.length === PAGE);
}

async function ringNow(ports: Ports, missed: readonly Appointment[]): Promise<void> {
  const limit = pLimit(AT_ONCE);
  const at = ports.clock.now();
  await Promise.all(missed.map(({ leaseId }) => limit(() => ports.alarm.move({ leaseId, at }))));
}
