import { Server, type ServerCredentials, status } from '@grpc/grpc-js';
import { LeaseholdError } from '../../shared/domain/errors.ts';
import type { Ports } from '../../shared/ports/ports.ts';
import { PEER_BEARER, type Runtime } from '../../shared/runtime.ts';
import type { Settings } from '../../shared/settings.ts';
import type { Logger } from '../../shared/telemetry/logger.ts';
import { withoutRepeats } from '../../shared/telemetry/without-repeats.ts';
import { type TunnelHandlers, tunnelOptions, tunnelService } from '../../shared/tunnel/tunnel-service.ts';
import { reasonOf } from '../audit.ts';
import { addressOf } from '../limits/source-network.ts';
import { endStalledCalls, stalledCall } from '../limits/stalled-calls.ts';
import { boundStatuses } from '../middleware/error-budget.ts';
import { RefusalFloods } from '../refusal-floods.ts';
import { bindable } from '../transport/bindable.ts';
import { boundConnections } from '../transport/bound-connections.ts';
import { ReloadableCredentials } from '../transport/reloadable-credentials.ts';
import { tlsContext } from '../transport/tls-context.ts';
import { watchKeyPair } from '../transport/watch-key-pair.ts';
import { decodingAll, NOT_OF_ITS_TYPE, Undecodable } from '../undecodable.ts';
import { serveAttach } from './attach.ts';
import { answerEnrol } from './enrol.ts';
import { serveForward } from './forward.ts';
import type { RelayHost } from './relay-host.ts';
import { ShownCertificates } from './shown-certificates.ts';
import { statusError } from './status-error.ts';
import { UnprovenCalls } from './unproven-calls.ts';

/** Streams last for ever here: no connection grows too old. */
const CONNECTION_OPTIONS = { 'grpc.max_connection_idle_ms': 60_000 };

/** Of one connection, once a call on it has proven who makes it. */
const MAX_STREAMS = 1_000;

const PATIENCE_MS = 30_000;

/** Where gateways and other processes of the installation connect. */
export interface RunningRelay {
  /** Ends all streams. */
  stop(): void;
}

/** Starts the relay where the settings want one. */
export async function startRelay(
  settings: Settings,
  { relay, keyring }: Pick<Runtime, 'relay' | 'keyring'>,
  ports: Ports,
  log: Logger,
): Promise<RunningRelay | undefined> {
  const { LEASEHOLD_RELAY_LISTEN: listen, LEASEHOLD_RELAY_CERT: cert, LEASEHOLD_RELAY_KEY: key } = settings;
  if (listen === undefined || cert === undefined || key === undefined) {
    return undefined;
  }
  const floods = new RefusalFloods((summary) => log.info({ summary }, 'calls refused at the relay'));
  const stalled = endStalledCalls(PATIENCE_MS, (rpc, peer) => {
    if (floods.isWritten(stalledCall(rpc, peer))) {
      log.warn({ rpc, peer }, 'a stream of the relay was ended: its other side stopped reading or sending');
    }
  });
  const connections = boundConnections('relay', MAX_STREAMS, settings, log);
  const unproven = new UnprovenCalls(connections);
  const interceptors = [stalled, boundStatuses, unproven.interceptor];
  const server = new Server({ ...tunnelOptions, ...CONNECTION_OPTIONS, interceptors });
  const keyPair = await watchKeyPair(
    'the certificate of the relay',
    cert,
    key,
    log,
    'LEASEHOLD_RELAY_CERT, LEASEHOLD_RELAY_KEY',
  );
  const shown = new ShownCertificates(keyPair.current);
  const credentials = new ReloadableCredentials(tlsContext(keyPair.current));
  keyPair.onReload((replaced) => {
    shown.replace(replaced);
    credentials.replace(tlsContext(replaced));
  });
  const port = await connections.bounding(() => bind(server, bindable(listen), credentials));
  const address = settings.LEASEHOLD_RELAY_ADDRESS ?? listen.replace(/:\d+$/, `:${port}`);
  const bearers = () => keyring.deriveAll(PEER_BEARER);
  const host = { ports, relay, address, certificates: () => shown.recent(), proven: unproven.proven, bearers };
  server.addService(decodingAll(tunnelService), handlers(host, floods));
  ports.log.info({ address }, 'relay listening');
  return {
    stop() {
      keyPair.close();
      server.forceShutdown();
      floods.flush();
    },
  };
}

function bind(server: Server, listen: string, credentials: ServerCredentials): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(listen, credentials, (error, port) => (error ? reject(error) : resolve(port)));
  });
}

function handlers(host: RelayHost, floods: RefusalFloods): TunnelHandlers {
  const { log } = host.ports;
  const tellFault = withoutRepeats((err, repeats) => log.warn({ err, repeats }, 'the relay failed: internal error'));
  const explain = (rpc: string, call: { getPeer(): string }, error: unknown) => {
    const told = statusError(error);
    if (!(error instanceof LeaseholdError)) {
      tellFault(error instanceof Error ? error : new Error(String(error)));
      return told;
    }
    const reason = reasonOf(error, told.code);
    const sourceIp = addressOf(call.getPeer());
    // Callers have not proven who they are yet: anyone can be refused as often as they like.
    if (floods.isWritten({ principal: undefined, sourceIp, action: rpc, code: status[told.code], reason })) {
      log.info({ rpc, err: error }, 'refused at the relay');
    }
    return told;
  };
  return {
    enrol(call, callback) {
      const { request } = call;
      if (request instanceof Undecodable) {
        callback({ code: status.INVALID_ARGUMENT, details: NOT_OF_ITS_TYPE });
        return;
      }
      void answerEnrol(host, request).then(
        (answer) => {
          host.proven(call);
          callback(null, answer);
        },
        (error: unknown) => callback(explain('Enrol', call, error)),
      );
    },
    // To the code of the streams, what cannot be decoded is a message of no kind.
    attach: (call) =>
      void serveAttach(host, call).then(
        () => call.end(),
        (error: unknown) => call.emit('error', explain('Attach', call, error)),
      ),
    forward: (call) =>
      void serveForward(host, call).then(
        () => call.end(),
        (error: unknown) => call.emit('error', explain('Forward', call, error)),
      ),
  };
}
