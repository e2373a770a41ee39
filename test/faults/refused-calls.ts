import { expect } from 'vitest';
import { eventually } from '../support/eventually.ts';
import type { LeaseholdClient } from '../support/leasehold.ts';
import { type Callers, startCallers } from './callers.ts';
import { DYNAMIC, type Installation, openInstallation, type STATIC } from './installation.ts';
import { bringEndsNear } from './near-ends.ts';
import { openPlace, type Place } from './own-place.ts';
import type { Trial } from './report.ts';
import type { Site } from './site.ts';
import { judge, liveLeases } from './verdict.ts';

// A cluster says no for a time, to creations or to deletes, and then it is put right.

/** Far longer than a fault lasts: ends are moved near. */
export const TTL = 1200;

/** So many leases are out before a fault, and so many calls are refused by it. */
const LEASES = 8;

const CALLERS = 4;

/** Where it happens: an installation of its own, in a place of its own. */
export interface Scene {
  place: Place;
  installation: Installation;
  client: LeaseholdClient;
}

/** Puts right what was wrong. */
type Repair = () => Promise<unknown>;

export interface Fault {
  name: string;
  /** Whether Leasehold may see that its namespace is gone. Default: it may. */
  mayReadNamespace?: boolean;
  /** Which leases. Default: dynamic ones. */
  config?: typeof DYNAMIC | typeof STATIC;
  settings?: Record<string, string>;
  /** Begins it. */
  strike(scene: Scene, callers?: Callers): Promise<Repair>;
  /** What the callers are told of it. */
  reasons?: RegExp;
}

async function setScene(stack: AsyncDisposableStack, site: Site, { mayReadNamespace = true, settings }: Fault) {
  const place = await openPlace(site, { mayReadNamespace });
  const installation = stack.use(await openInstallation(place, settings));
  await installation.startWorker();
  return { place, installation, client: await installation.startServer() };
}

/**
 * In the midst of issuing the cluster begins to refuse. What is refused leaves no lease that lives, and none is cut off. Only an
 * issue that had made an object when the fault came may wait for the repair: it is judged with the others.
 */
export async function whileIssuing(site: Site, fault: Fault): Promise<Trial> {
  await using stack = new AsyncDisposableStack();
  const scene = await setScene(stack, site, fault);
  const { installation, client } = scene;
  const { handedOut } = installation;
  const config = fault.config ?? DYNAMIC;
  const callers = startCallers(handedOut, client, { config, ttlSeconds: TTL, callers: CALLERS });
  await callers.more(LEASES);
  const repair = await fault.strike(scene, callers);
  const struckAt = Date.now();
  await callers.moreRefused(LEASES);
  await callers.stop();
  for (const { reason = '' } of callers.refused) {
    expect(reason).toMatch(fault.reasons ?? /^CLUSTER_/);
  }
  await eventually(async () => {
    const told = new Set(handedOut.map(({ id }) => id));
    const untold = (await liveLeases(installation)).filter(
      ({ id, objects, createTime }) =>
        !told.has(id) && (createTime >= struckAt || objects.every(({ uid }) => uid === undefined)),
    );
    expect(untold.map(({ state, lastError }) => `${state}: ${lastError}`)).toEqual([]);
  });
  await bringEndsNear(installation, { alarms: true });
  await repair();
  const verdict = await judge(installation, { since: Date.now() });
  return { fault: fault.name, ...verdict, figures: { issued: handedOut.length, refused: callers.refused.length } };
}

/** Leases are out when the cluster begins to refuse, and fall due. None ends before it is put right. */
export async function beforeExpiry(site: Site, fault: Fault & { says?: RegExp }): Promise<Trial> {
  await using stack = new AsyncDisposableStack();
  const scene = await setScene(stack, site, fault);
  const { installation } = scene;
  await Promise.all(Array.from({ length: LEASES }, () => installation.issue(TTL)));
  const repair = await fault.strike(scene);
  await bringEndsNear(installation, { alarms: true });
  if (fault.says) {
    await allSay(installation, fault.says);
  }
  await repair();
  return { fault: fault.name, ...(await judge(installation, { since: Date.now() })) };
}

/** All leases were tried, live, and say why. */
async function allSay(installation: Installation, words: RegExp): Promise<void> {
  await eventually(async () => {
    const live = await liveLeases(installation);
    expect(live).toHaveLength(LEASES);
    for (const { tries, lastError } of live) {
      expect(tries).toBeGreaterThan(1);
      expect(lastError).toMatch(words);
    }
  });
}
