import type { Ports } from '../ports/ports.ts';

/** Takes away an alarm that is of no use any more. One left behind rings for nothing, so a failure is only told. */
export async function clearAlarm(ports: Ports, leaseId: string): Promise<void> {
  try {
    await ports.alarm.clear(leaseId);
  } catch (error) {
    ports.log.warn({ lease: leaseId, err: error }, 'could not clear an alarm; it will ring for nothing');
  }
}
