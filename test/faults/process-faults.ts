import { readFile } from 'node:fs/promises';
import { ClientError } from 'nice-grpc';
import { eventually } from '../support/eventually.ts';
import type { LeaseholdProcess } from '../support/leasehold-process.ts';
import { PATIENCE_MS } from '../support/patience.ts';
import { type FaultPoint, faultEnvironment } from './fault-points.ts';
import { type Installation, openInstallation } from './installation.ts';
import { type Journey, setOut } from './journeys.ts';
import { bringEndsNear } from './near-ends.ts';
import { BOUND_MS } from './patience.ts';
import type { Step } from './recorded-steps.ts';
import type { Trial } from './report.ts';
import type { Site } from './site.ts';
import { judge } from './verdict.ts';

/** Every step of a journey, before and after. */
export function faultPoints(steps: readonly Step[], signal: FaultPoint['signal']): FaultPoint[] {
  return steps.flatMap((step) => (['before', 'after'] as const).map((moment) => ({ ...step, moment, signal })));
}

/** The victim is killed at the point, and another takes its place. */
export async function tryKill(site: Site, journey: Journey, point: FaultPoint): Promise<Trial> {
  await using installation = await openInstallation(site);
  const { victim, call, firstCall } = await begin(installation, journey, point);
  await reached(victim, point, (process) => process.exited);
  await replace(installation, call, firstCall);
  await bringEndsNear(installation, { alarms: true, issuersAreDead: true });
  const { orphansWithinMs = 0 } = journey;
  return { fault: nameOf(journey, point), ...(await judge(installation, { since: Date.now(), orphansWithinMs })) };
}

/** The victim stands still at the point until all is over without it, and then goes on. */
export async function tryStop(site: Site, journey: Journey, point: FaultPoint): Promise<Trial> {
  await using installation = await openInstallation(site);
  const { victim, call, firstCall } = await begin(installation, journey, point);
  await reached(victim, point, untilStopped);
  await replace(installation, call);
  await bringEndsNear(installation, { alarms: true });
  const without = await judge(installation, { since: Date.now() });
  victim.kill('SIGCONT');
  await firstCall;
  const after = await judge(installation, { since: Date.now(), orphansWithinMs: BOUND_MS });
  return {
    fault: nameOf(journey, point),
    orphans: without.orphans + after.orphans,
    overdue: without.overdue + after.overdue,
    lost: Math.max(without.lost, after.lost),
  };
}

async function begin(installation: Installation, journey: Journey, point: FaultPoint) {
  const { victim, client, call } = await setOut(installation, journey, faultEnvironment(point));
  return { victim, call, firstCall: tolerated(() => call(client)) };
}

async function replace(
  installation: Installation,
  call: (client: Awaited<ReturnType<Installation['startServer']>>) => Promise<unknown>,
  firstCall: Promise<void> = Promise.resolve(),
): Promise<void> {
  await installation.startWorker();
  const client = await installation.startServer();
  await Promise.all([firstCall, tolerated(() => call(client))]);
}

/** A call may well be refused; that it says so is all that its caller may expect of it. */
export async function tolerated(call: () => Promise<unknown>): Promise<void> {
  try {
    await call();
  } catch (error) {
    if (!(error instanceof ClientError)) {
      throw error;
    }
  }
}

async function reached(
  victim: LeaseholdProcess,
  point: FaultPoint,
  wait: (victim: LeaseholdProcess) => Promise<unknown>,
): Promise<void> {
  const timeout = new Promise((_, reject) =>
    setTimeout(
      () => reject(new Error(`${JSON.stringify(point)} was not reached: ${JSON.stringify(victim.logs.slice(-3))}`)),
      PATIENCE_MS,
    ).unref(),
  );
  await Promise.race([wait(victim), timeout]);
}

/** Linux' word for a process that a signal stopped: T. */
function untilStopped({ pid }: LeaseholdProcess): Promise<void> {
  return eventually(async () => {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    if (!stat.includes(') T ')) {
      throw new Error(`process ${pid} runs`);
    }
  });
}

function nameOf({ name, victim }: Journey, { step, call, signal }: FaultPoint): string {
  const which = call > 1 ? `, call ${call}` : '';
  return `${name}: ${victim} ${signal === 'SIGKILL' ? 'killed' : 'stopped'} at ${step}${which}`;
}
