import pLimit from 'p-limit';
import { type Config, clusterOf } from '../domain/config.ts';
import { type Lease, reachBy } from '../domain/lease.ts';
import type { Ports } from '../ports/ports.ts';
import { allDone } from './all-done.ts';
import { change } from './change.ts';
import { liveLeases } from './live-leases.ts';
import { ownAccess } from './own-access.ts';

const AT_ONCE = 16;

/**
 * Before a config goes to another cluster: its leases on the one that it leaves keep the newest access to that, with which
 * they are taken down. That of their issue may have a token that is not good any more. A lease that is being issued has
 * its access from a moment ago, and is left to its issuer.
 */
export async function leaveNewestAccess(ports: Ports, leaving: Config): Promise<void> {
  const limit = pLimit(AT_ONCE);
  const newest = { id: leaving.access.id, cluster: clusterOf(leaving.access) };
  for await (const page of liveLeases(ports, leaving.name)) {
    const older = page.filter(({ state, accessId }) => state !== 'PENDING' && accessId !== newest.id);
    await allDone(older.map((lease) => limit(() => leaveTo(ports, lease, newest))));
  }
}

async function leaveTo(ports: Ports, lease: Lease, newest: { id: string; cluster: string }): Promise<void> {
  const own = await ownAccess(ports, lease);
  if (own && clusterOf(own) === newest.cluster) {
    await change(ports, lease, (current) => (current.accessId === newest.id ? current : reachBy(current, newest.id)));
  }
}
