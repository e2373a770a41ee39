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
  /** What other processes of the installation may show: one of these. */
  bearers(): Secret[];
}
