import { NotFound } from '../domain/errors.ts';
import type { Lease } from '../domain/lease.ts';
import type { Ports } from '../ports/ports.ts';

/** The lease of that id. Throws NotFound. */
export async function findLease(ports: Ports, id: string): Promise<Lease> {
  const lease = await ports.leases.get(id);
  if (!lease) {
    throw new NotFound('lease', id);
  }
  return lease;
}
