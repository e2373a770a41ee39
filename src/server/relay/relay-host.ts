import type { Metadata } from '@grpc/grpc-js';
import type { Secret } from '../../shared/domain/secret.ts';
import type { Ports } from '../../shared/ports/ports.ts';
import type { GatewayRelay } from '../../shared/relay/gateway-relay.ts';

/** What the RPCs of the relay work with. */
export interface RelayHost {
  ports: Ports;
  relay: GatewayRelay;
  /** `host:port` at which others reach this server's relay. */
  address: string;
  /** Hashes of the certificates that the relay shows, or has shown to connections that were just made. */
  certificates(): readonly Uint8Array[];
  /** The caller has proven who it is: its call, and its connection, are no longer bounded as a stranger's. */
  proven(call: { metadata: Metadata }): void;
  /** What other processes of the installation may show: one of these. */
  bearers(): Secret[];
}
