import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { startServer } from '../../src/server/start-server.ts';
import { runProcess } from '../../src/shared/run-process.ts';
import { readSettings } from '../../src/shared/settings.ts';

// The server as it is, which tells its memory when it is asked to: SIGUSR2.

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

await runProcess('leasehold-server', readSettings, async (settings, log) => {
  const server = await startServer(settings, log);
  process.on('SIGUSR2', () => {
    collectGarbage();
    log.warn(process.memoryUsage(), 'memory');
  });
  log.warn({ address: server.address }, 'ready to be fuzzed');
  return server;
});
