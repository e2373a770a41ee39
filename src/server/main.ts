import { runProcess } from '../shared/run-process.ts';
import { startServer } from './start-server.ts';

await runProcess('leasehold-server', startServer);
