import { beforeAll, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { seconds } from '../support/set-ups.ts';
import { DYNAMIC, openInstallation } from './installation.ts';
import { handingOut } from './journeys.ts';
import { tolerated } from './process-faults.ts';
import { report, type Trial } from './report.ts';
import { openSite, type Site } from './site.ts';
import { startTraffic } from './traffic.ts';
import { judge, liveLeases } from './verdict.ts';

// Wall clocks are off, or jump: of the worker, of the server, or of both. Ends are judged by the time of Redis.

const HOUR_MS = 3_600_000;

/** Some leases of the traffic end in that time. */
const TRAFFIC_MS = 5_000;

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

/** Both processes by clocks of their own, for all of their lives, under traffic. */
async function bothAreOff(fault: string, offsets: { server: number; worker: number }): Promise<Trial> {
  await using installation = await openInstallation(site);
  const spawn = (role: 'server' | 'worker') =>
    installation.spawn(role, { CLOCK_JUMP_MS: `${offsets[role]}`, CLOCK_JUMPED: 'at start' });
  const worker = spawn('worker');
  await worker.logged('working');
  const traffic = startTraffic(installation, await installation.clientOf(spawn('server')), 3);
  await isPast(Date.now() + TRAFFIC_MS);
  await traffic.stop();
  return { fault, ...(await judge(installation)) };
}

/** Both jump in the midst of traffic, and come right. */
async function bothJump(fault: string, jumpMs: number): Promise<Trial> {
  await using installation = await openInstallation(site);
  const processes = (['worker', 'server'] as const).map((role) =>
    installation.spawn(role, { CLOCK_JUMP_MS: `${jumpMs}` }),
  );
  const [worker, server] = processes;
  await worker?.logged('working');
  const client = server && (await installation.clientOf(server));
  if (!client) {
    throw new Error('there is no server');
  }
  const traffic = startTraffic(installation, client, 3);
  for (let jumps = 0; jumps < 2; jumps++) {
    await isPast(Date.now() + TRAFFIC_MS);
    for (const process of processes) {
      process.kill('SIGUSR2');
    }
  }
  await isPast(Date.now() + TRAFFIC_MS);
  await traffic.stop();
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

test.concurrent('the clocks of both are off', async (context) => {
  await report(context, [
    bothAreOff('server and worker an hour ahead', { server: HOUR_MS, worker: HOUR_MS }),
    bothAreOff('server and worker an hour behind', { server: -HOUR_MS, worker: -HOUR_MS }),
    bothAreOff('the server an hour ahead, the worker an hour behind', { server: HOUR_MS, worker: -HOUR_MS }),
    bothAreOff('the server an hour behind, the worker an hour ahead', { server: -HOUR_MS, worker: HOUR_MS }),
  ]);
});

test.concurrent('the clocks of both jump in the midst of traffic', async (context) => {
  await report(context, [
    bothJump('server and worker an hour ahead, then right', HOUR_MS),
    bothJump('server and worker an hour behind, then right', -HOUR_MS),
  ]);
});
