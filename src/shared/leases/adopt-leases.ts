import pLimit from 'p-limit';
import type { Config } from '../domain/config.ts';
import { isBeingIssued, type Lease, reachBy } from '../domain/lease.ts';
import type { Ports } from '../ports/ports.ts';
import { allDone } from './all-done.ts';
import { change } from './change.ts';
import { liveLeases } from './live-leases.ts';
import { ownAccess } from './own-access.ts';

const AT_ONCE = 16;

/**
 * Before a config whose access was lost gets the one of `repaired`: its leases whose own access was lost as well are
 * taken down by that. Whoever repairs the config thereby says that this is their cluster; nothing else can tell any
 * more. Where it throws, no lease is still being changed: the access may be dropped.
 */
export async function adoptLeases(ports: Ports, { name, access }: Config): Promise<void> {
  const limit = pLimit(AT_ONCE);
  for await (const page of liveLeases(ports, name)) {
    await allDone(page.map((lease) => limit(() => adopt(ports, lease, access.id))));
  }
}

async function adopt(ports: Ports, lease: Lease, accessId: string): Promise<void> {
  if (!isBeingIssued(lease, ports.clock.now()) && !(await ownAccess(ports, lease))) {
    await change(ports, lease, (current) => (current.accessId === accessId ? current : reachBy(current, accessId)));
  }
}
