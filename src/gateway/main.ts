import { runProcess } from '../shared/run-process.ts';
import { enrolOnce } from './enrol-once.ts';
import { readGatewaySettings } from './settings.ts';
import { startAgent } from './start-agent.ts';

/** `main.ts` runs the agent; `main.ts enrol` only enrols it. */
if (process.argv[2] === 'enrol') {
  await enrolOnce(process.env);
} else {
  await runProcess('leasehold-gateway', readGatewaySettings, startAgent);
}
