import './jumping-clock.ts';
import { runProcess } from '../../src/shared/run-process.ts';
import { readSettings } from '../../src/shared/settings.ts';
import { startWorker } from '../../src/worker/start-worker.ts';
import { aroundPorts } from './fault-points.ts';

await runProcess('leasehold-worker', readSettings, (settings, log) => startWorker(settings, log, aroundPorts(log)));
