import { beforeAll, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { seconds } from '../support/set-ups.ts';
import { DYNAMIC, openInstallation } from './installation.ts';
import { handingOut } from './journeys.ts';
import { tolerated } from './process-faults.ts';
import { report, type Trial } from './report.ts';
import { openSite, type Site } from './site.ts';
import { judge, liveLeases } from './verdict.ts';

// Wall clocks jump: of the worker or of the server, forth or back, and right again.

const HOUR_MS = 3_600_000;

let site: Site;
beforeAll(async () => {
  site = await openSite();
});

/** A worker whose clock jumps while a lease lives, and comes right after the lease's end. */
async function workerJumps(fault: string, jumpMs: number): Promise<Trial> {
  await using installation = await openInstallation(site);
  const worker = installation.spawn('worker', { CLOCK_JUMP_MS: `${jumpMs}` });
  await worker.logged('working');
  await installation.issue(4);
  worker.kill('SIGUSR2');
  await installation.issue(4);
  await isPast(Date.now() + 6_000);
  worker.kill('SIGUSR2');
  // By a clock that is ahead a lease ends early: nobody can tell.
  installation.handedOut.splice(0);
  return { fault, ...(await judge(installation, { since: Date.now() })) };
}

/** A server that issues and revokes by a wrong clock, beside a worker with a right one. */
async function serverIsOff(fault: string, jumpMs: number): Promise<Trial> {
  await using installation = await openInstallation(site);
  await installation.startWorker();
  const server = installation.spawn('server', { CLOCK_JUMP_MS: `${jumpMs}`, CLOCK_JUMPED: 'at start' });
  const client = await installation.clientOf(server);
  const issue = handingOut(installation, ({ leases }) => leases.issueLease({ config: DYNAMIC, ttl: seconds(4) }));
  await tolerated(() => issue(client));
  await tolerated(() => issue(client));
  server.kill('SIGUSR2');
  await tolerated(() => issue(client));
  for (const { id } of await liveLeases(installation)) {
    await tolerated(() => client.leases.revokeLease({ id }));
  }
  return { fault, ...(await judge(installation)) };
}

function isPast(time: number): Promise<void> {
  return eventually(async () => {
    if (Date.now() < time) {
      throw new Error(`it is not yet ${time}`);
    }
  });
}

test.concurrent('the clock of the worker jumps', async (context) => {
  await report(context, [
    workerJumps("the worker's clock an hour ahead, then right", HOUR_MS),
    workerJumps("the worker's clock an hour behind, then right", -HOUR_MS),
  ]);
});

test.concurrent('the clock of the server jumps', async (context) => {
  await report(context, [
    serverIsOff("the server's clock an hour ahead, then right", HOUR_MS),
    serverIsOff("the server's clock an hour behind, then right", -HOUR_MS),
  ]);
});
