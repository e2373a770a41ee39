import { Aborted, NotFound } from '../domain/errors.ts';
import { hasEnded, type Lease } from '../domain/lease.ts';
import type { Ports } from '../ports/ports.ts';

/** How often a lease is read again when somebody else changes it at the same time. */
const MAX_CONFLICTS = 10;

/** Stores `step(lease)`; where somebody else was faster, reads again and repeats. An ended lease is returned as it is. */
export async function change(ports: Ports, lease: Lease, step: (lease: Lease) => Lease): Promise<Lease> {
  let current = lease;
  for (let conflicts = 0; conflicts < MAX_CONFLICTS; conflicts++) {
    const next = hasEnded(current) ? current : step(current);
    if (next === current || (await ports.leases.save(next))) {
      return next;
    }
    const fresh = await ports.leases.get(lease.id);
    if (!fresh) {
      throw new NotFound('lease', lease.id);
    }
    current = fresh;
  }
  throw new Aborted('LEASE_CHANGED', `lease ${lease.id} is being changed by others; read it and try again`);
}
