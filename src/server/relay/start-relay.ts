import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { LeaseholdError } from '../../shared/domain/errors.ts';
import type { Ports } from '../../shared/ports/ports.ts';
import { PEER_BEARER, type Runtime } from '../../shared/runtime.ts';
import type { Settings } from '../../shared/settings.ts';
import { certificateHash } from '../../shared/tunnel/signed-texts.ts';
import { type TunnelHandlers, tunnelOptions, tunnelService } from '../../shared/tunnel/tunnel-service.ts';
import { serveAttach } from './attach.ts';
import { answerEnrol } from './enrol.ts';
import { serveForward } from './forward.ts';
import type { RelayHost } from './relay-host.ts';
import { statusError } from './status-error.ts';

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
): Promise<RunningRelay | undefined> {
  const { LEASEHOLD_RELAY_LISTEN: listen, LEASEHOLD_RELAY_CERT: cert, LEASEHOLD_RELAY_KEY: key } = settings;
  if (listen === undefined || cert === undefined || key === undefined) {
    return undefined;
  }
  const server = new Server(tunnelOptions);
  const chain = readFileSync(cert);
  const credentials = ServerCredentials.createSsl(null, [{ cert_chain: chain, private_key: readFileSync(key) }]);
  const port = await bind(server, listen, credentials);
  const address = settings.LEASEHOLD_RELAY_ADDRESS ?? listen.replace(/:\d+$/, `:${port}`);
  server.addService(
    tunnelService,
    handlers({ ports, relay, address, certificate: hashOfFirst(chain), bearers: () => keyring.deriveAll(PEER_BEARER) }),
  );
  ports.log.info({ address }, 'relay listening');
  return { stop: () => server.forceShutdown() };
}

/** A chain begins with the server's own. */
function hashOfFirst(chain: Buffer): Buffer {
  return certificateHash(new X509Certificate(chain).raw);
}

function bind(server: Server, listen: string, credentials: ServerCredentials): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(listen, credentials, (error, port) => (error ? reject(error) : resolve(port)));
  });
}

function handlers(host: RelayHost): TunnelHandlers {
  const explain = (rpc: string, error: unknown) => {
    if (error instanceof LeaseholdError) {
      host.ports.log.info({ rpc, err: error }, 'refused at the relay');
    } else {
      host.ports.log.warn({ rpc, err: error }, 'the relay failed: a fault of ours');
    }
    return statusError(error);
  };
  return {
    enrol: ({ request }, callback) =>
      void answerEnrol(host, request).then(
        (answer) => callback(null, answer),
        (error: unknown) => callback(explain('Enrol', error)),
      ),
    attach: (call) =>
      void serveAttach(host, call).then(
        () => call.end(),
        (error: unknown) => call.emit('error', explain('Attach', error)),
      ),
    forward: (call) =>
      void serveForward(host, call).then(
        () => call.end(),
        (error: unknown) => call.emit('error', explain('Forward', error)),
      ),
  };
}
