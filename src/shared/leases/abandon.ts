import type { Lease } from '../domain/lease.ts';
import type { Ports } from '../ports/ports.ts';
import { revoke } from './revoke.ts';

/**
 * Undoes a PENDING lease whose issuer died: its token never went out. What the issuer asked for last may still appear.
 * One whose issuer came back at the last moment, and made it ACTIVE, is left to it. Returns the lease as it stands then;
 * throws as `revoke` does.
 */
export function abandon(ports: Ports, lease: Lease): Promise<Lease> {
  return revoke(ports, lease, 'FAILED', { unless: ({ state }) => state === 'ACTIVE' });
}
