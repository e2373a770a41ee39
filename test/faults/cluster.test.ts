import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { startRestartableControlPlane } from '../servers/control-plane.ts';
import { eventually } from '../support/eventually.ts';
import { openInstallation } from './installation.ts';
import { report, type Trial } from './report.ts';
import { openSite } from './site.ts';
import { startTraffic } from './traffic.ts';
import { judge, liveLeases } from './verdict.ts';

const TTL = 3;

/** Longer than until both the retries (1 s) and the probes of the cluster (15 s) have waited their longest. */
const OUTAGE_MS = 40_000;

/** The API server goes away in the midst of traffic, and comes back when every retry has waited its longest. */
async function longOutage(): Promise<Trial> {
  await using stack = new AsyncDisposableStack();
  const controlPlane = await startRestartableControlPlane();
  stack.defer(() => controlPlane.stop());
  const installation = stack.use(await openInstallation(await openSite(controlPlane)));
  await installation.startWorker();
  const traffic = startTraffic(installation, await installation.startServer(), TTL);
  await traffic.more(20);
  await controlPlane.stopApiserver();
  await traffic.stop();
  await sleep(OUTAGE_MS);
  await eventually(async () => {
    const live = await liveLeases(installation);
    expect(live.length).toBeGreaterThan(0);
    expect(live.map(({ stalled }) => stalled)).toEqual(live.map(() => true));
  });
  await controlPlane.startApiserver();
  return {
    fault: 'API server down for longer than the backoff schedule',
    ...(await judge(installation, { since: Date.now() })),
  };
}

test('the API server is down for longer than all backoff, and comes back', async (context) => {
  await report(context, [longOutage()]);
});
