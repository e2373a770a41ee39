import type { Access } from '../domain/config.ts';
import { Aborted } from '../domain/errors.ts';
import { activate, hasEnded, hasFurtherHolders, type Lease, type Standing } from '../domain/lease.ts';
import type { MintedToken } from '../ports/cluster.ts';
import type { RequestKey } from '../ports/lease-store.ts';
import type { Ports } from '../ports/ports.ts';
import { inSpan } from '../telemetry/span.ts';
import { Building } from './building.ts';
import { revoke } from './revoke.ts';
import { isNear, schedule } from './schedule.ts';
import { takeDown } from './take-down.ts';

/** Tokens expire on whole seconds; for the fraction that they lack, the alarm is not set anew. */
const ALARM_SLACK_MS = 1_000;

const NOTHING: Standing = { objects: [], namespaceUid: undefined };

/** A lease that is ACTIVE, and its token. */
export interface Grant {
  lease: Lease;
  minted: MintedToken;
}

/**
 * Gives a planned lease its objects and its token: record and alarm first, then the service account, then binding and
 * token side by side, then the lease becomes ACTIVE. Where a step fails, what was made is removed before this throws.
 * Returns the earlier lease instead where `request` was seen before.
 */
export async function grant(
  ports: Ports,
  pending: Lease,
  access: Access,
  options: { request?: RequestKey; signal?: AbortSignal } = {},
): Promise<Grant | { earlier: Lease }> {
  const earlier = await inSpan('lease.record', {}, () => record(ports, pending, options.request));
  if (earlier) {
    return { earlier };
  }
  const building = new Building(ports, pending, access);
  try {
    const { minted, ...standing } = await building.build(options.signal);
    const active = activate(pending, { ...standing, tokenExpireTime: minted.expireTime });
    await inSpan('lease.activate', {}, () => storeActive(ports, pending, active));
    // The token would reach nobody.
    options.signal?.throwIfAborted();
    return { lease: active, minted };
  } catch (error) {
    await undo(ports, pending, { cause: error, standing: building.standing, mayStillAppear: building.mayStillAppear });
    throw error;
  }
}

/** Record before act: from here on the worker can take the lease down, whatever becomes of us. */
async function record(ports: Ports, pending: Lease, request: RequestKey | undefined): Promise<Lease | undefined> {
  const earlier = await ports.leases.record(pending, request);
  if (earlier) {
    return earlier;
  }
  try {
    await setFirstAlarm(ports, pending);
  } catch (error) {
    await undo(ports, pending, { cause: error, standing: NOTHING, mayStillAppear: false });
    throw error;
  }
  return undefined;
}

/** Only once there is a record: the jobs of refused calls would fill the store, past every limit on leases. */
async function setFirstAlarm(ports: Ports, { id: leaseId, expireTime: at }: Lease): Promise<void> {
  if (isNear(ports, at)) {
    await ports.alarm.set([{ leaseId, at }]);
  }
}

async function storeActive(ports: Ports, pending: Lease, active: Lease): Promise<void> {
  if (active.expireTime <= ports.clock.now() || !(await ports.leases.save(active))) {
    throw new Aborted('LEASE_ENDED_MEANWHILE', `lease ${active.id} ended while it was being issued`);
  }
  if (active.expireTime < pending.expireTime - ALARM_SLACK_MS) {
    await schedule(ports, active);
  }
}

interface Failed {
  cause: unknown;
  standing: Standing;
  mayStillAppear: boolean;
}

/**
 * Takes down what stands, or may still appear, and nothing else: a lease that never made anything has failed at once,
 * without a call to a cluster that may accept none. A failure here does not hide the one that led to it: the worker goes
 * on where we stop.
 */
async function undo(ports: Ports, lease: Lease, { cause, standing, mayStillAppear }: Failed): Promise<void> {
  try {
    const found = await ports.leases.get(lease.id);
    if (found && !hasEnded(found)) {
      const now = ports.clock.now();
      const settleTime = mayStillAppear ? now + ports.policy.settleMs : now;
      // A repeated call with its request_id may have been given the lease that this one gives up.
      await revoke(ports, found, 'FAILED', { unless: hasFurtherHolders, settleTime, standing });
    } else {
      // Somebody took it down before our last call arrived.
      await takeDown(ports, { ...(found ?? lease), ...standing });
    }
  } catch (error) {
    ports.log.warn(
      { lease: lease.id, config: lease.config, err: error, cause },
      'could not undo a failed lease; the worker goes on where it lives, reading the cluster back where it has ended',
    );
  }
}
