import type { Duplex } from 'node:stream';
import type { GatewayRef } from '../domain/config.ts';

/** Opens connections through gateways. */
export interface GatewayDialer {
  /**
   * A connection to the gateway's own API server, where the gateway speaks HTTP in the clear, or to `host:port` by TCP.
   * Tries one agent after the other. Throws NotDialled: nothing was sent.
   */
  dial(gateway: GatewayRef, target: 'api-server' | { address: string }, timeoutMs: number): Promise<Duplex>;
}

/** Why there is no connection. */
export class NotDialled extends Error {
  /** The gateway has no agent that is connected; it does not allow the target; the target or the agent does not answer. */
  readonly reason: 'not-connected' | 'refused' | 'unreachable';

  /** Its name. */
  readonly gateway: string;

  constructor(gateway: string, reason: NotDialled['reason'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'NotDialled';
    this.gateway = gateway;
    this.reason = reason;
  }
}
