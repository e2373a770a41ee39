import pLimit from 'p-limit';
import type { Config } from '../domain/config.ts';
import { type Lease, reachBy } from '../domain/lease.ts';
import type { Ports } from '../ports/ports.ts';
import { change } from './change.ts';
import { liveLeases } from './live-leases.ts';

const AT_ONCE = 16;

/**
 * Before a config goes to another cluster: its leases on the one that it leaves keep the newest access to that, with which
 * they are taken down. That of their issue may have a token that is not good any more. A lease that is being issued has
 * its access from a moment ago, and is left to its issuer.
 */
export async function leaveNewestAccess(ports: Ports, leaving: Config): Promise<void> {
  const limit = pLimit(AT_ONCE);
  const { id, url } = leaving.access;
  for await (const page of liveLeases(ports, leaving.name)) {
    const older = page.filter(({ state, accessId }) => state !== 'PENDING' && accessId !== id);
    await Promise.all(older.map((lease) => limit(() => leaveTo(ports, lease, { id, url }))));
  }
}

async function leaveTo(ports: Ports, lease: Lease, newest: { id: string; url: string }): Promise<void> {
  const own = await ports.configs.getAccess(lease.accessId);
  if (own?.url === newest.url) {
    await change(ports, lease, (current) => (current.accessId === newest.id ? current : reachBy(current, newest.id)));
  }
}
