import pLimit from 'p-limit';
import { beforeAll, test } from 'vitest';
import { JOURNEYS } from './journeys.ts';
import { faultPoints, tryStop } from './process-faults.ts';
import { recordSteps } from './recorded-steps.ts';
import { report } from './report.ts';
import { openSite, type Site } from './site.ts';

// A process stands still before or after a step, longer than its lock on the job or its time to issue: another does its
// work, and then it goes on as if nothing had been.

const AT_ONCE = 8;

const limit = pLimit(AT_ONCE);

let site: Site;
beforeAll(async () => {
  site = await openSite();
});

const ONE_LEASE = ['issuing, dynamic', 'renewing', 'revoking', 'expiring'];

test.concurrent.for(JOURNEYS.filter(({ name }) => ONE_LEASE.includes(name)))(
  '$victim stopped while $name',
  async (journey, context) => {
    const steps = await limit(() => recordSteps(site, journey));
    await report(
      context,
      faultPoints(steps, 'SIGSTOP').map((point) => limit(() => tryStop(site, journey, point))),
    );
  },
);
