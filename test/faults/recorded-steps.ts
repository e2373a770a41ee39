import { eventually } from '../support/eventually.ts';
import { STEP_TAKEN } from './fault-points.ts';
import { openInstallation } from './installation.ts';
import { type Journey, setOut } from './journeys.ts';
import type { Site } from './site.ts';
import { liveLeases } from './verdict.ts';

/** A step of a journey, and which of the calls of its name it is. */
export interface Step {
  step: string;
  call: number;
}

/** They change nothing and ask nothing of a cluster: to die beside one is to die after the step before. */
const READS = /^(configs|leases|batches)\.(get|getAccess|list|reports|unfinished)$|^alarm\.close$/;

/** The background of every worker, which has journeys of its own. */
const SWEEPS = /^leases\.(dueBefore|forgetEnded)$|^alarm\.set$|^cluster\.listMarked/;

/** Goes a journey once without a fault, and returns its steps: so none is forgotten when the code changes. */
export async function recordSteps(site: Site, journey: Journey): Promise<Step[]> {
  await using installation = await openInstallation(site);
  const { victim, client, call } = await setOut(installation, journey);
  if (journey.victim === 'server') {
    await installation.startWorker();
    await call(client);
  } else {
    await call(client);
    await eventually(async () => {
      const objects = await site.admin.leaseholdObjects(installation.name);
      if (objects.length > 0 || (await liveLeases(installation)).length > 0) {
        throw new Error(`the journey "${journey.name}" does not end without a fault: ${objects}`);
      }
    });
  }
  await victim.stop();
  const taken = victim.logs.filter(({ msg }) => msg === STEP_TAKEN).map(({ step }) => String(step));
  return numbered(taken, journey.leases).filter(
    ({ step }) => !READS.test(step) && (journey.victim === 'server' || journey.sweeps || !SWEEPS.test(step)),
  );
}

/** The first calls of each name, up to so many. */
function numbered(names: string[], most: number): Step[] {
  const calls = new Map<string, number>();
  const steps = names.map((step) => {
    const call = (calls.get(step) ?? 0) + 1;
    calls.set(step, call);
    return { step, call };
  });
  return steps.filter(({ call }) => call <= most);
}
