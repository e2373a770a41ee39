import pLimit from 'p-limit';
import type { GatewayRef } from '../domain/config.ts';
import { type Lease, tryAnew } from '../domain/lease.ts';
import type { Ports } from '../ports/ports.ts';
import { change } from './change.ts';
import { ownAccess } from './own-access.ts';
import { schedule } from './schedule.ts';

const AT_ONCE = 16;
const PAGE = 200;

/** What is tried within this time anyway is left to that. */
const SOON_MS = 1_000;

/**
 * A gateway is connected again: leases that are reached through it, and whose taking down failed, are tried now, and not
 * only when their backoff, which grew through the outage, is over. Returns how many. Throws Unavailable.
 */
export async function retryWaiting(ports: Ports, gateway: GatewayRef): Promise<number> {
  const waiting = await waitingLeases(ports, undefined);
  const verdicts = await Promise.all(waiting.map((lease) => isReachedBy(ports, lease, gateway)));
  return retryAll(
    ports,
    waiting.filter((_, index) => verdicts[index]),
  );
}

/** The same for the leases on a config that got another access: its token may take them down. */
export async function retryWaitingOn(ports: Ports, config: string): Promise<number> {
  return retryAll(ports, await waitingLeases(ports, config));
}

async function waitingLeases(ports: Ports, config: string | undefined): Promise<Lease[]> {
  return (await revokingLeases(ports, config)).filter((lease) => isWaiting(lease, ports.clock.now()));
}

async function retryAll(ports: Ports, leases: readonly Lease[]): Promise<number> {
  const limit = pLimit(AT_ONCE);
  await Promise.all(leases.map((lease) => limit(() => retry(ports, lease))));
  return leases.length;
}

/** All are read before any changes: one that ends would leave a gap in the pages. */
async function revokingLeases(ports: Ports, config: string | undefined): Promise<Lease[]> {
  const leases: Lease[] = [];
  let page: Lease[];
  do {
    page = await ports.leases.list({
      config,
      principal: undefined,
      states: ['REVOKING'],
      before: leases.at(-1)?.id,
      limit: PAGE,
    });
    leases.push(...page);
  } while (page.length === PAGE);
  return leases;
}

/** Its own access says so: its config may have gone to another cluster. */
async function isReachedBy(ports: Ports, lease: Lease, { uid }: GatewayRef): Promise<boolean> {
  return (await ownAccess(ports, lease))?.gateway?.uid === uid;
}

/** One that is being taken down at this moment has not failed yet, or is tried again soon if whoever does it dies. */
function isWaiting({ state, lastError, nextTryTime = 0 }: Lease, now: number): boolean {
  return state === 'REVOKING' && lastError !== undefined && nextTryTime > now + SOON_MS;
}

async function retry(ports: Ports, lease: Lease): Promise<void> {
  const after = await change(ports, lease, (current) => {
    const now = ports.clock.now();
    return isWaiting(current, now) ? tryAnew(current, now) : current;
  });
  await schedule(ports, after);
}
