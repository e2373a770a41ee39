import { runProcess } from '../shared/run-process.ts';
import { startWorker } from './start-worker.ts';

await runProcess('leasehold-worker', startWorker);
