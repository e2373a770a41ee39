import { ServerCredentials } from '@grpc/grpc-js';
import type { Doors } from '../src/server/doors.ts';
import { startServer } from '../src/server/start-server.ts';
import { runProcess } from '../src/shared/run-process.ts';
import { readSettings } from '../src/shared/settings.ts';

// A server whose doors stand open: no TLS, everybody is one caller, who may do everything. The yardstick for what the
// doors cost.

const doors: Doors = {
  transport: { isTls: false, credentials: ServerCredentials.createInsecure(), clientCertificates: undefined },
  authenticate: async () => ({ kind: 'api-key', id: 'tests', issuer: 'leasehold', groups: [] }),
  authorizer: { allows: () => true },
  close: () => undefined,
};

await runProcess('leasehold-server', readSettings, (settings, log) =>
  startServer(settings, log, { openDoors: async () => doors }),
);
