import type { GatewayRef } from '../domain/config.ts';
import type { Gateway, GatewayIdentity, GatewayLink, SeenLink } from '../domain/gateway.ts';

/** Records of gateways, and of who may be one. Fails with Unavailable where the store is away. */
export interface GatewayStore {
  /**
   * Throws AlreadyExists where the name is taken, and ResourceExhausted where `creator` has created as many as it may.
   */
  create(gateway: Gateway, creator?: string): Promise<void>;
  get(name: string): Promise<Gateway | undefined>;
  /** In the order of names, those after `after`. */
  list(page: { after: string; limit: number }): Promise<Gateway[]>;
  /** Removes a gateway; its identities and enrolment tokens count no more. */
  delete(gateway: GatewayRef): Promise<void>;
  /**
   * Keeps the hash of an enrollment token for `ttlMs`. Throws NotFound where the gateway is gone, and ResourceExhausted
   * where `creator` has as many as it may that have not expired.
   */
  keepToken(gateway: GatewayRef, tokenHash: string, ttlMs: number, creator?: string): Promise<void>;
  /**
   * Makes a key known, by the hash of an enrolment token that is good and was used by no other key. Returns its
   * identity, the same each time; undefined where the token does not count. Throws ResourceExhausted where the gateway
   * has as many identities as it may.
   */
  enrol(tokenHash: string, key: { id: string; publicKey: string }): Promise<GatewayIdentity | undefined>;
  /** undefined where there is none, or its gateway is gone, or it was revoked. */
  identity(id: string): Promise<GatewayIdentity | undefined>;
  countIdentities(gateway: GatewayRef): Promise<number>;
  /** No identity and no enrolment token of before counts any more. Throws NotFound where the gateway is gone. */
  revokeIdentities(gateway: GatewayRef): Promise<void>;
}

/** Who holds the streams of gateways: announced again and again, forgotten soon after. Fails with Unavailable. */
export interface GatewayLinks {
  /**
   * False where the link's identity does not count any more: the stream must end. Throws ResourceExhausted where it is
   * a new one, and the gateway has as many as it may.
   */
  announce(link: GatewayLink): Promise<boolean>;
  withdraw(link: GatewayLink): Promise<void>;
  /** The links that were announced lately. */
  of(gateway: GatewayRef): Promise<SeenLink[]>;
  /** When any link of it was last announced; undefined: never. */
  lastSeen(gateway: GatewayRef): Promise<number | undefined>;
}
