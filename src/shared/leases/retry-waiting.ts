import pLimit from 'p-limit';
import type { GatewayRef } from '../domain/config.ts';
import { type Lease, tryAgainAt } from '../domain/lease.ts';
import type { Ports } from '../ports/ports.ts';
import { allConfigs } from './all-configs.ts';
import { change } from './change.ts';
import { schedule } from './schedule.ts';

const AT_ONCE = 16;
const PAGE = 200;

/** What is tried within this time anyway is left to that. */
const SOON_MS = 1_000;

/**
 * A gateway is connected again: leases on its configs whose taking down failed are tried now, and not only when their
 * backoff, which grew through the outage, is over. Returns how many. Throws Unavailable.
 */
export async function retryWaiting(ports: Ports, gateway: GatewayRef): Promise<number> {
  const limit = pLimit(AT_ONCE);
  let count = 0;
  for await (const { name, access } of allConfigs(ports)) {
    if (access.gateway?.uid === gateway.uid) {
      const waiting = (await revokingLeases(ports, name)).filter((lease) => isWaiting(lease, ports.clock.now()));
      await Promise.all(waiting.map((lease) => limit(() => retry(ports, lease))));
      count += waiting.length;
    }
  }
  return count;
}

/** All are read before any changes: one that ends would leave a gap in the pages. */
async function revokingLeases(ports: Ports, config: string): Promise<Lease[]> {
  const leases: Lease[] = [];
  let page: Lease[];
  do {
    page = await ports.leases.list({ config, states: ['REVOKING'], before: leases.at(-1)?.id, limit: PAGE });
    leases.push(...page);
  } while (page.length === PAGE);
  return leases;
}

/** One that is being taken down at this moment has not failed yet, or is tried again soon if whoever does it dies. */
function isWaiting({ state, lastError, nextTryTime = 0 }: Lease, now: number): boolean {
  return state === 'REVOKING' && lastError !== undefined && nextTryTime > now + SOON_MS;
}

async function retry(ports: Ports, lease: Lease): Promise<void> {
  const after = await change(ports, lease, (current) => {
    const now = ports.clock.now();
    return isWaiting(current, now) ? tryAgainAt(current, now) : current;
  });
  await schedule(ports, after);
}
