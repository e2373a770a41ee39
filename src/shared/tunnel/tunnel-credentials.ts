import { createSecureContext } from 'node:tls';
import { type ChannelCredentials, credentials } from '@grpc/grpc-js';
import { trustIn } from '../domain/trust.ts';

/** How a client of the tunnel verifies a server: by the PEM of `anchors`, or by the CAs that Node trusts. */
export function tunnelCredentials(anchors: string | undefined): ChannelCredentials {
  return credentials.createFromSecureContext(createSecureContext(trustIn(anchors)));
}
