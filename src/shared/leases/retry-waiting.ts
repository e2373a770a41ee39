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

/** Between two tries of one config's leases: after an outage, not all that waited may come at once. */
const GAP_MS = 10;

/**
 * Retries what waits for gateways that are back. A look goes through all leases that are being taken down, whosever
 * they are: so there is one at a time, for all gateways that came back since the one before it began.
 */
class GatewayRetries {
  /** How many leases of each, by uid, are retried: by the look that runs, and by the one after it. */
  #running = new Map<string, number>();
  #next = new Map<string, number>();
  #nextLook: Promise<Map<string, number>> | undefined;
  readonly #limit = pLimit(1);

  /** A gateway that comes and goes is in one look at a time: leases that the look has passed were just tried. */
  async retry(ports: Ports, { uid }: GatewayRef): Promise<number> {
    if (this.#running.has(uid) || this.#next.has(uid)) {
      return 0;
    }
    this.#next.set(uid, 0);
    this.#nextLook ??= this.#limit(() => this.#look(ports));
    const retried = await this.#nextLook;
    return retried.get(uid) ?? 0;
  }

  async #look(ports: Ports): Promise<Map<string, number>> {
    const gateways = this.#next;
    this.#running = gateways;
    this.#next = new Map();
    this.#nextLook = undefined;
    try {
      const reachedBy = retryEach(ports, undefined, async (lease) => {
        const uid = await gatewayOf(ports, lease);
        return uid !== undefined && gateways.has(uid) ? uid : undefined;
      });
      for await (const uid of reachedBy) {
        gateways.set(uid, (gateways.get(uid) ?? 0) + 1);
      }
      return gateways;
    } finally {
      this.#running = new Map();
    }
  }
}

/** Of each store. */
const retriesOf = new WeakMap<Ports['leases'], GatewayRetries>();

/**
 * A gateway is connected again: leases that are reached through it, and whose taking down failed, are tried now, one
 * after the other, and not only when their backoff, which grew through the outage, is over. Returns how many. Throws
 * Unavailable.
 */
export function retryWaiting(ports: Ports, gateway: GatewayRef): Promise<number> {
  const retries = retriesOf.get(ports.leases) ?? new GatewayRetries();
  retriesOf.set(ports.leases, retries);
  return retries.retry(ports, gateway);
}

/** The same for the leases on a config that got another access: its token may take them down. */
export async function retryWaitingOn(ports: Ports, config: string): Promise<number> {
  let retried = 0;
  for await (const count of retryEach(ports, config, async () => 1)) {
    retried += count;
  }
  return retried;
}

/** Page by page, so that however many leases wait, few are held. Yields what `concern` tells of each that is tried. */
async function* retryEach<T>(
  ports: Ports,
  config: string | undefined,
  concern: (lease: Lease) => Promise<T | undefined>,
): AsyncIterable<T> {
  const limit = pLimit(AT_ONCE);
  const slots = new Slots(ports.clock.now());
  for await (const page of revokingLeases(ports, config)) {
    const concerns = await Promise.all(
      page.map((lease) => limit(async () => (slots.isOf(lease) ? concern(lease) : undefined))),
    );
    const tries = page.flatMap((lease, index) => {
      const told = concerns[index];
      return told !== undefined && slots.isOf(lease) ? [{ lease, told, at: slots.take(lease) }] : [];
    });
    await Promise.all(tries.map(({ lease, at }) => limit(() => retry(ports, lease, at))));
    yield* tries.map(({ told }) => told);
  }
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

/**
 * When leases are tried: for each config one after the other, so that those of one do not wait for those of another.
 */
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
async function gatewayOf(ports: Ports, lease: Lease): Promise<string | undefined> {
  return (await ownAccess(ports, lease))?.gateway?.uid;
}

/** One that is being taken down at this moment has not failed yet, or is tried again soon if whoever does it dies. */
function isWaiting({ state, lastError, nextTryTime = 0 }: Lease, at: number): boolean {
  return state === 'REVOKING' && lastError !== undefined && nextTryTime > at + SOON_MS;
}

async function retry(ports: Ports, lease: Lease, at: number): Promise<void> {
  const after = await change(ports, lease, (current) => (isWaiting(current, at) ? tryAnew(current, at) : current));
  await schedule(ports, after);
}
