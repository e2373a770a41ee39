import pLimit from 'p-limit';
import type { Appointment } from '../ports/alarm.ts';
import type { Ports } from '../ports/ports.ts';
import { countSwept } from '../telemetry/metrics.ts';

/** Whose time was so long ago is looked after by nobody: its alarm has rung by then, where it was set. */
const GRACE_MS = 5_000;

const PAGE = 500;

const AT_ONCE = 32;

/** Slices of leases that are forgotten in one run; each takes a few ms, and they must not hold up what is due. */
const MAX_SLICES = 100;

/** The worker puts off a lease that finds no place, but for no longer: then its alarm rings again by itself. */
export const LONGEST_PUT_OFF_MS = 60_000;

/** Between two alarms that are moved: what comes back leaves the worker room for what falls due. */
const GAP_MS = 2;

/**
 * Of the horizon, which is two sweeps: within this all that are moved ring, before another sweep could move them again.
 */
const MOVED_WITHIN = 1 / 4;

/**
 * Sets the alarms of what will want attention soon, and, anew, of what wants attention and does not get it because its
 * job was lost: leases that are overdue or were left half-issued, and batches that have not ended. Forgets ended leases
 * that were kept for their time, which would stay while no further lease ends. Costs as much as is due, however many
 * leases there are. `graceMs`: how long what is due is left to its alarm. Returns how many were overdue. Throws
 * Unavailable.
 */
export async function sweep(ports: Ports, { graceMs = GRACE_MS }: { graceMs?: number } = {}): Promise<number> {
  const now = ports.clock.now();
  // First, because it gives memory back, also where a full Redis takes no alarms.
  await forgetEnded(ports, now);
  const due = await allDue(ports, now + ports.policy.alarmHorizonMs);
  const missed = due.filter(({ at }) => at < now - graceMs);
  await setAlarms(ports, due.slice(missed.length));
  await setAlarms(
    ports,
    missed.map(({ leaseId }) => ({ leaseId, at: now })),
  );
  await moveAlarms(
    ports,
    missed.filter(({ at }) => at < now - graceMs - LONGEST_PUT_OFF_MS),
  );
  if (missed.length > 0) {
    countSwept('overdue lease', missed.length);
    ports.log.info({ leases: missed.length }, 'sweep: set the alarm of overdue leases anew');
  }
  for (const batch of await ports.batches.unfinished()) {
    await ports.alarm.wakeForBatch(batch);
  }
  return missed.length;
}

async function forgetEnded(ports: Ports, now: number): Promise<void> {
  let slices = 0;
  let forgotten: number;
  do {
    forgotten = await ports.leases.forgetEnded(now);
    slices += 1;
  } while (forgotten > 0 && slices < MAX_SLICES);
}

/** In the order of their times. All are read before any is woken: pages of what is taken down meanwhile would leave gaps. */
async function allDue(ports: Ports, before: number): Promise<Appointment[]> {
  const due: Appointment[] = [];
  let page: Appointment[];
  do {
    page = await ports.leases.dueBefore(before, { offset: due.length, limit: PAGE });
    due.push(...page);
  } while (page.length === PAGE);
  return due;
}

/** An alarm that is set stays as it is. */
async function setAlarms(ports: Ports, appointments: readonly Appointment[]): Promise<void> {
  for (let begin = 0; begin < appointments.length; begin += PAGE) {
    await ports.alarm.set(appointments.slice(begin, begin + PAGE));
  }
}

/** Those that are set wrong, one after the other: among them may be many that were put off again and again. */
async function moveAlarms(ports: Ports, late: readonly Appointment[]): Promise<void> {
  const limit = pLimit(AT_ONCE);
  const now = ports.clock.now();
  const withinMs = ports.policy.alarmHorizonMs * MOVED_WITHIN;
  for (let begin = 0; begin < late.length; begin += PAGE) {
    const moved = late.slice(begin, begin + PAGE).map(({ leaseId }, index) => ({
      leaseId,
      at: now + (((begin + index) * GAP_MS) % withinMs),
    }));
    await Promise.all(moved.map((appointment) => limit(() => ports.alarm.move(appointment))));
  }
}
