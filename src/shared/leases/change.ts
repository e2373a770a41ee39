import { Aborted, NotFound } from '../domain/errors.ts';
import { hasEnded, type Lease } from '../domain/lease.ts';
import type { Ports } from '../ports/ports.ts';

/** How often a lease is read again when others change it at the same time. Each conflict is another's success. */
const MAX_CONFLICTS = 100;

/** Longest wait after a conflict; the first ones wait less. */
const MAX_PAUSE_MS = 50;

/** Stores `step(lease)`; where somebody else was faster, reads again and repeats. An ended lease is returned as it is. */
export async function change(ports: Ports, lease: Lease, step: (lease: Lease) => Lease): Promise<Lease> {
  let current = lease;
  for (let conflicts = 0; conflicts < MAX_CONFLICTS; conflicts++) {
    const next = hasEnded(current) ? current : step(current);
    if (next === current || (await ports.leases.save(next))) {
      return next;
    }
    await ports.clock.sleep(ports.random() * Math.min(conflicts * 5, MAX_PAUSE_MS));
    const fresh = await ports.leases.get(lease.id);
    if (!fresh) {
      throw new NotFound('lease', lease.id);
    }
    current = fresh;
  }
  throw new Aborted('LEASE_CHANGED', `lease ${lease.id} is being changed by others; read it and try again`);
}
