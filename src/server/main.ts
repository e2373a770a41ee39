import { runProcess } from '../shared/run-process.ts';
import { readSettings } from '../shared/settings.ts';
import { startServer } from './start-server.ts';

await runProcess('leasehold-server', readSettings, startServer);
