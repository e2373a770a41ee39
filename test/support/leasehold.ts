import { randomBytes } from 'node:crypto';
import { Writable } from 'node:stream';
import type { ChannelCredentials, ChannelOptions } from '@grpc/grpc-js';
import { createChannel, createClientFactory } from 'nice-grpc';
import { type DeadlineOptions, deadlineMiddleware } from 'nice-grpc-client-middleware-deadline';
import { errorDetailsClientMiddleware } from 'nice-grpc-error-details';
import { type ConfigServiceClient, ConfigServiceDefinition } from '../../src/gen/leasehold/v1/config_service.ts';
import { type GatewayServiceClient, GatewayServiceDefinition } from '../../src/gen/leasehold/v1/gateway_service.ts';
import { type LeaseServiceClient, LeaseServiceDefinition } from '../../src/gen/leasehold/v1/lease_service.ts';
import { startServer } from '../../src/server/start-server.ts';
import { readSettings, type Settings } from '../../src/shared/settings.ts';
import { createLogger } from '../../src/shared/telemetry/logger.ts';
import { startWorker } from '../../src/worker/start-worker.ts';
import { keepEvidence } from '../evidence/evidence-folder.ts';
import { knowingTokens, knownSecret } from '../evidence/known-secret.ts';
import { TEST_NETWORKS } from './egress.ts';
import { PATIENT_LIMITS, PATIENT_REDIS_MS } from './patience.ts';
import { SECURE, type Showing, secureChannel } from './security.ts';

export interface LeaseholdClient {
  configs: ConfigServiceClient<DeadlineOptions>;
  leases: LeaseServiceClient<DeadlineOptions>;
  gateways: GatewayServiceClient<DeadlineOptions>;
  close(): void;
}

/** A client as a caller's would be. Default: of the caller who may do everything. */
export function connectTo(address: string, showing?: Showing): LeaseholdClient {
  return connectOver(address, secureChannel(showing));
}

/** A client over a channel with these credentials and options. */
export function connectOver(
  address: string,
  { credentials, options }: { credentials: ChannelCredentials; options: ChannelOptions },
): LeaseholdClient {
  const channel = createChannel(address, credentials, options);
  const factory = createClientFactory().use(knowingTokens).use(errorDetailsClientMiddleware).use(deadlineMiddleware);
  return {
    configs: factory.create(ConfigServiceDefinition, channel),
    leases: factory.create(LeaseServiceDefinition, channel),
    gateways: factory.create(GatewayServiceDefinition, channel),
    close: () => channel.close(),
  };
}

/** Settings as environment variables: a fresh installation on the given Redis, at a free port. */
export function leaseholdEnvironment(redisUrl: string, overrides: Record<string, string> = {}): Record<string, string> {
  return {
    ...SECURE,
    LEASEHOLD_LISTEN: '127.0.0.1:0',
    LEASEHOLD_REDIS_URL: redisUrl,
    LEASEHOLD_SEAL_KEY: knownSecret(randomBytes(32).toString('base64')),
    LEASEHOLD_INSTALLATION: `test-${randomBytes(4).toString('hex')}`,
    LEASEHOLD_ALLOWED_NETWORKS: TEST_NETWORKS,
    LEASEHOLD_MAX_LEASES_PER_PRINCIPAL: '100000',
    // All tests of a file are one caller, and in a hurry.
    LEASEHOLD_QUESTION_RATE: '1000000',
    LEASEHOLD_TRIAL_RATE: '1000000',
    LEASEHOLD_RETRY_INITIAL: '0.2',
    LEASEHOLD_RETRY_MAX: '1',
    // A test that waits for one of these to pass sets it.
    LEASEHOLD_CLUSTER_CALL_TIMEOUT: `${PATIENT_LIMITS.callTimeoutMs / 1000}`,
    LEASEHOLD_CLUSTER_CONNECT_TIMEOUT: `${PATIENT_LIMITS.connectTimeoutMs / 1000}`,
    LEASEHOLD_REDIS_TIMEOUT: `${PATIENT_REDIS_MS / 1000}`,
    ...overrides,
  };
}

export interface Leasehold extends LeaseholdClient {
  settings: Settings;
  address: string;
  /** Everything that server and worker logged. */
  logs: string[];
  /** Starts the worker again after `stopWorker`. */
  startWorker(): Promise<void>;
  stopWorker(): Promise<void>;
  stop(): Promise<void>;
}

/** A server and a worker in this process, and a client. */
export async function startLeasehold(redisUrl: string, overrides: Record<string, string> = {}): Promise<Leasehold> {
  const settings = readSettings(leaseholdEnvironment(redisUrl, overrides));
  const logs: string[] = [];
  const destination = new Writable({
    write(chunk, _encoding, done) {
      logs.push(String(chunk));
      keepEvidence('logs', chunk);
      done();
    },
  });
  const server = await startServer(
    settings,
    createLogger('leasehold-server', settings.LEASEHOLD_LOG_LEVEL, destination),
  );
  const workerLog = createLogger('leasehold-worker', settings.LEASEHOLD_LOG_LEVEL, destination);
  let worker = await startWorker(settings, workerLog);
  const client = connectTo(server.address);
  return {
    ...client,
    settings,
    address: server.address,
    logs,
    async startWorker() {
      worker = await startWorker(settings, workerLog);
    },
    stopWorker: () => worker.stop(),
    async stop() {
      client.close();
      await server.stop();
      await worker.stop();
    },
  };
}
