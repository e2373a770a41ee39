import { randomBytes } from 'node:crypto';
import { startControlPlane } from '../test/servers/control-plane.ts';
import { startRedisServer } from '../test/servers/redis-server.ts';
import { Admin, type ClusterAddress } from '../test/support/admin.ts';
import { TEST_NETWORKS } from '../test/support/egress.ts';
import type { LeaseholdClient } from '../test/support/leasehold.ts';
import { SECURE } from '../test/support/security.ts';
import { startServerAndWorker } from '../test/support/server-and-worker.ts';
import { startTraceCollector, type TraceCollector } from './trace-collector.ts';

/** Everything that the demo plays on: a real cluster, a real Redis, and Leasehold's own two processes. */
export interface Stage extends AsyncDisposable {
  cluster: ClusterAddress;
  adminToken: string;
  admin: Admin;
  redisUrl: string;
  serverAddress: string;
  client: LeaseholdClient;
  collector: TraceCollector;
}

/** Starts all of it; what was started is stopped again where a later part fails. */
export async function setTheStage(progress: (line: string) => void): Promise<Stage> {
  await using started = new AsyncDisposableStack();
  const controlPlane = await startControlPlane({ progress });
  started.defer(() => controlPlane.stop());
  const redis = await startRedisServer({ progress });
  started.defer(() => redis.stop());
  const collector = await startTraceCollector();
  started.defer(() => collector.stop());

  const environment = {
    ...SECURE,
    LEASEHOLD_LISTEN: '127.0.0.1:0',
    LEASEHOLD_REDIS_URL: redis.url,
    LEASEHOLD_SEAL_KEY: randomBytes(32).toString('base64'),
    LEASEHOLD_INSTALLATION: 'demo',
    LEASEHOLD_ALLOWED_NETWORKS: TEST_NETWORKS,
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
    OTEL_BSP_SCHEDULE_DELAY: '200',
    OTEL_METRICS_EXPORTER: 'none',
    OTEL_LOGS_EXPORTER: 'none',
  };
  const { server, worker, address, client, stop } = await startServerAndWorker(environment);
  started.defer(async () => {
    const exitCodes = await stop();
    if (exitCodes.some((code) => code !== 0)) {
      throw new Error(`server and worker ended with ${exitCodes.join(' and ')}`);
    }
  });
  progress(`Leasehold's server serves at ${address} (process ${server.pid}), its worker works (process ${worker.pid})`);

  const { url, caPem, adminToken } = controlPlane;
  const running = started.move();
  return {
    cluster: { url, caPem },
    adminToken,
    admin: new Admin({ url, caPem }, adminToken),
    redisUrl: redis.url,
    serverAddress: address,
    client,
    collector,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}
