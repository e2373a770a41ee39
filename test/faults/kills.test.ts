import pLimit from 'p-limit';
import { beforeAll, test } from 'vitest';
import { JOURNEYS } from './journeys.ts';
import { faultPoints, tryKill } from './process-faults.ts';
import { recordSteps } from './recorded-steps.ts';
import { report } from './report.ts';
import { openSite, type Site } from './site.ts';

// A process dies before or after each step of each journey.

/** A fault is mostly waiting; what it costs is the start of a process. */
const AT_ONCE = 12;

const limit = pLimit(AT_ONCE);

let site: Site;
beforeAll(async () => {
  site = await openSite();
});

test.concurrent.for(JOURNEYS)('$victim killed while $name', async (journey, context) => {
  const steps = await limit(() => recordSteps(site, journey));
  await report(
    context,
    faultPoints(steps, 'SIGKILL').map((point) => limit(() => tryKill(site, journey, point))),
  );
});
