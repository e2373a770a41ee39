import type { GatewayRef } from './config.ts';

/** Agents in a private cluster that dial out to Leasehold and carry its calls. */
export interface Gateway extends GatewayRef {
  createTime: number;
}

/** A key that enrolled as a gateway. */
export interface GatewayIdentity {
  id: string;
  gateway: GatewayRef;
  /** Ed25519, as SubjectPublicKeyInfo in DER (RFC 8410), in base64. */
  publicKey: string;
}

/** One agent's stream, as the server that holds it announces it. */
export interface GatewayLink {
  /** Of this stream. UUID. */
  id: string;
  gateway: GatewayRef;
  identityId: string;
  /** Tells agents that share an identity from each other. */
  instanceId: string;
  version: string;
  connectTime: number;
  /** `host:port` at which other servers and workers reach the one that holds the stream. */
  server: string;
}

/** A link, and when it was last announced. */
export type SeenLink = GatewayLink & { lastSeenTime: number };
