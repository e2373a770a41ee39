import { runProcess } from '../shared/run-process.ts';
import { readSettings } from '../shared/settings.ts';
import { startWorker } from './start-worker.ts';

await runProcess('leasehold-worker', readSettings, startWorker);
