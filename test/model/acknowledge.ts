import type { IssuedLease } from '../../src/shared/leases/issue.ts';
import { versionOf } from './history.ts';
import { POLICY, SLACK_MS } from './policy.ts';
import type { World } from './world.ts';

/** A caller has a token: now it must be under a durable, ACTIVE lease that somebody will wake up for. */
function checkToken({ history, clock }: World, { lease, minted }: IssuedLease): void {
  const { id, createTime, expireTime, objects } = lease;
  history.require(
    history.active.has(versionOf(lease)),
    2,
    () => `the token of lease ${id} is out, which is not stored so`,
  );
  // What is due later, as it also seems where the clock was set back, has its alarm set by the sweep.
  const isNear = clock.setBack === 0 && expireTime < createTime + POLICY.alarmHorizonMs - SLACK_MS;
  const ringsAt = isNear ? (history.alarms.get(id) ?? Number.POSITIVE_INFINITY) : expireTime;
  history.require(
    ringsAt <= expireTime + SLACK_MS,
    2,
    () => `the token of lease ${id} is out, for which no alarm was set`,
  );
  history.require(
    objects.every(({ uid }) => uid !== undefined),
    3,
    () => `lease ${id} does not know all its uids`,
  );
  history.require(minted.expireTime <= expireTime || objects.length > 0, 2, () => `the token outlasts lease ${id}`);
  history.acknowledged.set(id, lease);
}

/** A caller got a lease, or got it again. */
export function acknowledgeIssue(world: World, issued: IssuedLease, requestId: string | undefined): void {
  const { history } = world;
  const { id } = issued.lease;
  checkToken(world, issued);
  if (requestId !== undefined) {
    const leases = (history.byRequest.get(requestId) ?? new Set()).add(id);
    history.byRequest.set(requestId, leases);
    history.require(leases.size === 1 || history.isLossy, 0, () => `request ${requestId} has ${leases.size} leases`);
  }
}

export function acknowledgeRenewal(world: World, issued: IssuedLease): void {
  checkToken(world, issued);
  world.history.toBeLogged.add(`renewed ${issued.lease.id}`);
}
