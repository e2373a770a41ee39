import { readFileSync } from 'node:fs';
import { credentials } from '@grpc/grpc-js';
import { TunnelClient } from '../../../src/shared/tunnel/tunnel-service.ts';
import type { GatewayInstallation } from './gateway-installation.ts';

/** Speaks with a relay as anybody could who knows its address and its CA. */
export function connectToRelay({ environment }: GatewayInstallation, relayAddress: string): TunnelClient {
  const { LEASEHOLD_RELAY_CA: ca = '', LEASEHOLD_RELAY_NAME: name = '' } = environment;
  return new TunnelClient(relayAddress, credentials.createSsl(readFileSync(ca)), {
    'grpc.ssl_target_name_override': name,
  });
}
