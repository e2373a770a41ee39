import type { Socket } from 'node:net';

/**
 * The ends of a connection, as each layer above it knows them: neither TLS nor HTTP/2 shows the TCP socket below it.
 */
export type Ends = Pick<Socket, 'localAddress' | 'localPort' | 'remoteAddress' | 'remotePort'>;

/** Names a connection among those that are open. */
export function connectionId({ localAddress, localPort, remoteAddress, remotePort }: Ends): string {
  return [localAddress, localPort, remoteAddress, remotePort].join(' ');
}
