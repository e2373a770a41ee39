import { createServer } from 'nice-grpc';
import { errorDetailsServerMiddleware } from 'nice-grpc-error-details';
import { openTelemetryServerMiddleware } from 'nice-grpc-opentelemetry';
import { HealthDefinition, HealthServiceImpl, HealthState } from 'nice-grpc-server-health';
import { ConfigServiceDefinition } from '../gen/leasehold/v1/config_service.ts';
import { GatewayServiceDefinition } from '../gen/leasehold/v1/gateway_service.ts';
import { LeaseServiceDefinition } from '../gen/leasehold/v1/lease_service.ts';
import { principalName } from '../shared/domain/principal.ts';
import type { Ports } from '../shared/ports/ports.ts';
import type { Service } from '../shared/run-process.ts';
import { createRuntime } from '../shared/runtime.ts';
import type { Settings } from '../shared/settings.ts';
import type { Logger } from '../shared/telemetry/logger.ts';
import { actionOf, auditTo } from './audit.ts';
import type { CallerContext } from './caller.ts';
import { openDoors } from './doors.ts';
import { Guard } from './guard.ts';
import { CallsUnderWay } from './limits/calls-under-way.ts';
import { connectionOptions, maxStreams } from './limits/connection-options.ts';
import { addressOf, sourceNetwork } from './limits/source-network.ts';
import { endStalledCalls, stalledCall } from './limits/stalled-calls.ts';
import { Lists } from './lists.ts';
import { Authentication } from './middleware/authentication.ts';
import { decodingMiddleware } from './middleware/decoding.ts';
import { boundStatuses } from './middleware/error-budget.ts';
import { errorsMiddleware } from './middleware/errors.ts';
import { limitsMiddleware } from './middleware/limits.ts';
import { reflection, reflectionDefinition } from './reflection.ts';
import { RefusalFloods } from './refusal-floods.ts';
import { type RunningRelay, startRelay } from './relay/start-relay.ts';
import { PageTokens } from './requests/page-token.ts';
import { configService } from './services/config-service.ts';
import { gatewayService } from './services/gateway-service.ts';
import { leaseService } from './services/lease-service.ts';
import { bindable } from './transport/bindable.ts';
import { boundConnections, boundConnectionsOfCallers } from './transport/bound-connections.ts';
import { boundEarlyHeaders } from './transport/early-headers.ts';
import { decodingAll } from './undecodable.ts';

/** A server that listens. `stop` lets the calls under way end, and cuts them off after the drain timeout. */
export interface RunningServer extends Service {
  /** `host:port`. */
  address: string;
}

/** What stands around a server otherwise than the settings say. */
export interface ServerOptions {
  /** Stands between it and its ports. */
  around?: (ports: Ports) => Ports;
  openDoors?: typeof openDoors;
}

/** Starts the gRPC server with health checking and reflection. */
export async function startServer(
  settings: Settings,
  log: Logger,
  options: ServerOptions = {},
): Promise<RunningServer> {
  const { around = (ports) => ports } = options;
  const doors = await (options.openDoors ?? openDoors)(settings, log);
  const runtime = await createRuntime(settings, log);
  const ports = around(await runtime.portsBelowHighWater());
  const audit = auditTo(log);
  const health = HealthState();
  // Each caller that watches it is one.
  health.setMaxListeners(0);
  const floods = new RefusalFloods((summary) => log.info({ summary }, 'calls refused'));
  const stalled = endStalledCalls(settings.LEASEHOLD_SLOW_CALLER_TIMEOUT * 1000, (rpc, peer) => {
    if (floods.isWritten(stalledCall(rpc, peer))) {
      log.warn({ rpc, peer }, 'a call was ended: its caller stopped reading or sending');
    }
  });
  const limits = {
    maxCalls: settings.LEASEHOLD_MAX_CALLS_PER_PRINCIPAL,
    callTimeoutMs: settings.LEASEHOLD_CALL_TIMEOUT * 1000,
  };
  const connections = boundConnections('server', maxStreams(settings), settings, log);
  const authentication = new Authentication({
    doors,
    connections,
    connectionsOfCallers: boundConnectionsOfCallers(settings, log),
    requests: new CallsUnderWay(limits.maxCalls),
    log,
    audit,
  });
  const interceptors = [stalled, boundStatuses, authentication.interceptor];
  const grpc = createServer({ ...connectionOptions(settings), interceptors })
    .use(openTelemetryServerMiddleware())
    .use(errorDetailsServerMiddleware);
  const server = grpc
    .with(authentication.middleware)
    .with(errorsMiddleware(log, floods))
    .with(
      limitsMiddleware(
        limits,
        ({ principal }: CallerContext) => `principal:${principalName(principal)}`,
        log,
        (rpc, { principal, origin }, error) => audit({ principal, action: actionOf(rpc), origin, error }),
      ),
    )
    .with(decodingMiddleware);
  const guard = new Guard(doors.authorizer, audit);
  const lists = new Lists(new PageTokens(runtime.keyring));
  server.add(decodingAll(ConfigServiceDefinition), configService(ports, guard, lists));
  server.add(decodingAll(LeaseServiceDefinition), leaseService(ports, guard, lists));
  server.add(
    decodingAll(GatewayServiceDefinition),
    gatewayService(ports, guard, lists, { hasRelay: settings.LEASEHOLD_RELAY_LISTEN !== undefined }),
  );
  server.add(
    decodingAll(reflectionDefinition),
    reflection([ConfigServiceDefinition, LeaseServiceDefinition, GatewayServiceDefinition, HealthDefinition]),
  );
  // Whether the server is well may be asked by anybody, and nothing else.
  grpc
    .with(errorsMiddleware(log, floods))
    .with(limitsMiddleware(limits, ({ peer }) => `address:${sourceNetwork(addressOf(peer))}`, log))
    .with(decodingMiddleware)
    .add(decodingAll(HealthDefinition), HealthServiceImpl(health));
  const headers = boundEarlyHeaders();
  let relay: RunningRelay | undefined;
  const close = async () => {
    relay?.stop();
    headers.close();
    doors.close();
    audit.close();
    floods.flush();
    await runtime.close();
  };
  let port: number;
  try {
    relay = await startRelay(settings, runtime, ports, log);
    port = await connections.bounding(() =>
      grpc.listen(bindable(settings.LEASEHOLD_LISTEN), doors.transport.credentials),
    );
  } catch (error) {
    await close();
    throw error;
  }
  const address = settings.LEASEHOLD_LISTEN.replace(/:\d+$/, `:${port}`);
  log.info({ address }, 'serving');

  return {
    address,
    async stop() {
      health.setStatus('unhealthy');
      const deadline = setTimeout(() => grpc.forceShutdown(), settings.LEASEHOLD_DRAIN_TIMEOUT * 1000);
      await grpc.shutdown();
      clearTimeout(deadline);
      await close();
    },
  };
}
