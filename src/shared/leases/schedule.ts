import { attentionTime, type Lease } from '../domain/lease.ts';
import type { Ports } from '../ports/ports.ts';

/**
 * Sees to it that the worker looks at a lease in time. Its record, which says when, is stored; where that is far off, the
 * sweep sets the alarm once it is near.
 */
export async function schedule(ports: Ports, lease: Lease): Promise<void> {
  const at = attentionTime(lease);
  if (isNear(ports, at)) {
    await ports.alarm.move({ leaseId: lease.id, at });
  }
}

/** Whether an alarm for that time is set now. */
export function isNear(ports: Ports, at: number): boolean {
  return at < ports.clock.now() + ports.policy.alarmHorizonMs;
}
