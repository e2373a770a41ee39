import './jumping-clock.ts';
import { startServer } from '../../src/server/start-server.ts';
import { runProcess } from '../../src/shared/run-process.ts';
import { readSettings } from '../../src/shared/settings.ts';
import { aroundPorts } from './fault-points.ts';

await runProcess('leasehold-server', readSettings, (settings, log) =>
  startServer(settings, log, { around: aroundPorts(log) }),
);
