import { readFileSync } from 'node:fs';
import type { ChannelOptions } from '@grpc/grpc-js';
import { parseAnchors } from '../shared/domain/certificates.ts';
import { parsedAt } from '../shared/domain/malformed.ts';
import { tunnelCredentials } from '../shared/tunnel/tunnel-credentials.ts';
import { TunnelClient, tunnelOptions } from '../shared/tunnel/tunnel-service.ts';
import type { GatewaySettings } from './settings.ts';

/** One of Leasehold's servers. */
export interface TunnelServer {
  /** `host:port`. */
  address: string;
  /** A client with a connection of its own, made at its first call. */
  connect(): TunnelClient;
}

/** Throws where the CA file cannot be used. */
export function tunnelServers(settings: GatewaySettings): TunnelServer[] {
  const { LEASEHOLD_GATEWAY_SERVER_CA: caFile, LEASEHOLD_GATEWAY_SERVER_NAME: name } = settings;
  const tls = tunnelCredentials(caFile === undefined ? undefined : anchorsIn('LEASEHOLD_GATEWAY_SERVER_CA', caFile));
  const options: ChannelOptions = {
    ...tunnelOptions,
    ...(name === undefined ? {} : { 'grpc.ssl_target_name_override': name, 'grpc.default_authority': name }),
    // Each stream that is attached anew gets a connection of its own, not one that may be dead.
    'grpc.use_local_subchannel_pool': 1,
  };
  return settings.LEASEHOLD_GATEWAY_SERVERS.map((address) => ({
    address,
    connect: () => new TunnelClient(address, tls, options),
  }));
}

/** PEM of the certificates in a file that a setting names. Throws where it cannot be used. */
export function anchorsIn(setting: string, path: string): string {
  return parsedAt(`${setting} (${path})`, () => parseAnchors(readFileSync(path, 'utf8')).pem);
}
