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

/** Between two tries of one config's leases: what comes back after an outage must not be met by all that waited. */
const GAP_MS = 10;

/** Gateways, by uid, whose leases are being gone through. */
const underWay = new Set<string>();

/**
 * A gateway is connected again: leases that are reached through it, and whose taking down failed, are tried now, one after
 * the other, and not only when their backoff, which grew through the outage, is over. Returns how many. A gateway that
 * comes and goes is gone through once at a time: what a run has passed was given its try a moment ago. Throws Unavailable.
 */
export async function retryWaiting(ports: Ports, gateway: GatewayRef): Promise<number> {
  if (underWay.has(gateway.uid)) {
    return 0;
  }
  underWay.add(gateway.uid);
  try {
    return await retryEach(ports, undefined, (lease) => isReachedBy(ports, lease, gateway));
  } finally {
    underWay.delete(gateway.uid);
  }
}

/** The same for the leases on a config that got another access: its token may take them down. */
export function retryWaitingOn(ports: Ports, config: string): Promise<number> {
  return retryEach(ports, config, async () => true);
}

/** Page by page, so that however many leases wait, few are held. */
async function retryEach(
  ports: Ports,
  config: string | undefined,
  isConcerned: (lease: Lease) => Promise<boolean>,
): Promise<number> {
  const limit = pLimit(AT_ONCE);
  const slots = new Slots(ports.clock.now());
  let retried = 0;
  for await (const page of revokingLeases(ports, config)) {
    const verdicts = await Promise.all(page.map((lease) => limit(async () => slots.isOf(lease) && isConcerned(lease))));
    const tries = page.flatMap((lease, index) =>
      verdicts[index] && slots.isOf(lease) ? [{ lease, at: slots.take(lease) }] : [],
    );
    await Promise.all(tries.map(({ lease, at }) => limit(() => retry(ports, lease, at))));
    retried += tries.length;
  }
  return retried;
}

/** The newest first. A page may be short, because leases end meanwhile: only an empty one is the last. */
async function* revokingLeases(ports: Ports, config: string | undefined): AsyncIterable<Lease[]> {
  let before: string | undefined;
  do {
    const page = await ports.leases.list({ config, principal: undefined, states: ['REVOKING'], before, limit: PAGE });
    yield page;
    before = page.at(-1)?.id;
  } while (before !== undefined);
}

/** When leases are tried: for each config one after the other, so that those of one do not wait for those of another. */
class Slots {
  readonly #nextOf = new Map<string, number>();
  readonly #begin: number;

  constructor(begin: number) {
    this.#begin = begin;
  }

  /** Whether a lease waits for longer than for the next slot of its config. */
  isOf(lease: Lease): boolean {
    return isWaiting(lease, this.#next(lease));
  }

  take(lease: Lease): number {
    const at = this.#next(lease);
    this.#nextOf.set(lease.configUid, at + GAP_MS);
    return at;
  }

  #next({ configUid }: Lease): number {
    return this.#nextOf.get(configUid) ?? this.#begin;
  }
}

/** Its own access says so: its config may have gone to another cluster. */
async function isReachedBy(ports: Ports, lease: Lease, { uid }: GatewayRef): Promise<boolean> {
  return (await ownAccess(ports, lease))?.gateway?.uid === uid;
}

/** One that is being taken down at this moment has not failed yet, or is tried again soon if whoever does it dies. */
function isWaiting({ state, lastError, nextTryTime = 0 }: Lease, at: number): boolean {
  return state === 'REVOKING' && lastError !== undefined && nextTryTime > at + SOON_MS;
}

async function retry(ports: Ports, lease: Lease, at: number): Promise<void> {
  const after = await change(ports, lease, (current) => (isWaiting(current, at) ? tryAnew(current, at) : current));
  await schedule(ports, after);
}
