import pLimit from 'p-limit';
import { beforeAll, expect, test } from 'vitest';
import { seconds } from '../support/set-ups.ts';
import { CALLS, type CallName, MISHAPS, type MishapName, startFaultyProxy } from './faulty-proxy.ts';
import { DYNAMIC, openInstallation } from './installation.ts';
import { handingOut } from './journeys.ts';
import { tolerated } from './process-faults.ts';
import { report, type Trial } from './report.ts';
import { openSite, type Site } from './site.ts';
import { judge } from './verdict.ts';

// Something in front of the API server spoils a call of a lease's life.

const AT_ONCE = 4;

const limit = pLimit(AT_ONCE);

let site: Site;
beforeAll(async () => {
  site = await openSite();
});

async function tryMishap(call: CallName, mishap: MishapName, times: number): Promise<Trial> {
  const { url, tls } = site.access;
  const proxy = await startFaultyProxy({ url, caPem: tls.caPem ?? '' }, { call, mishap, times });
  try {
    const access = { ...site.access, url: proxy.url, tls: { ...tls, caPem: proxy.caPem } };
    await using installation = await openInstallation({ ...site, access });
    await installation.startWorker();
    const issue = handingOut(installation, ({ leases }) => leases.issueLease({ config: DYNAMIC, ttl: seconds(2) }));
    const client = await installation.startServer();
    // A cluster that is busy with other faults may fail an issue before the call that is to be spoilt.
    while (proxy.spoilt === 0 && installation.handedOut.length === 0) {
      await tolerated(() => issue(client));
    }
    const verdict = await judge(installation);
    expect(proxy.spoilt).toBeGreaterThan(0);
    return { fault: `API server, ${call}: ${mishap}`, ...verdict };
  } finally {
    proxy.stop();
  }
}

test.concurrent.for(Object.keys(CALLS) as CallName[])('the way to the API server spoils: %s', async (call, context) => {
  const mishaps = Object.keys(MISHAPS) as MishapName[];
  // Only deletes are repeated.
  const oftens = call.startsWith('delete') ? [1, 4] : [1];
  await report(
    context,
    mishaps.flatMap((mishap) => oftens.map((times) => limit(() => tryMishap(call, mishap, times)))),
  );
});
