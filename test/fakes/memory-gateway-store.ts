import type { GatewayRef } from '../../src/shared/domain/config.ts';
import { AlreadyExists, NotFound } from '../../src/shared/domain/errors.ts';
import type { Gateway, GatewayIdentity } from '../../src/shared/domain/gateway.ts';
import type { GatewayStore } from '../../src/shared/ports/gateway-store.ts';

interface Token {
  gateway: GatewayRef;
  goneAt: number;
  usedBy?: GatewayIdentity;
}

/** Gateways in memory. */
export class MemoryGatewayStore implements GatewayStore {
  readonly #now: () => number;
  readonly #gateways = new Map<string, Gateway>();
  readonly #tokens = new Map<string, Token>();
  readonly #identities = new Map<string, GatewayIdentity>();

  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  async create(gateway: Gateway): Promise<void> {
    if (this.#gateways.has(gateway.name)) {
      throw new AlreadyExists('GATEWAY_NAME_TAKEN', `there is a gateway ${gateway.name} already`);
    }
    this.#gateways.set(gateway.name, gateway);
  }

  async get(name: string): Promise<Gateway | undefined> {
    return this.#gateways.get(name);
  }

  async list({ after, limit }: { after: string; limit: number }): Promise<Gateway[]> {
    const byName = [...this.#gateways.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
    return byName.filter(({ name }) => name > after).slice(0, limit);
  }

  async delete(gateway: GatewayRef): Promise<void> {
    this.#requireStored(gateway);
    this.#gateways.delete(gateway.name);
    this.#forgetKeysOf(gateway);
  }

  async keepToken(gateway: GatewayRef, tokenHash: string, ttlMs: number): Promise<void> {
    this.#requireStored(gateway);
    this.#tokens.set(tokenHash, { gateway, goneAt: this.#now() + ttlMs });
  }

  async enrol(tokenHash: string, key: { id: string; publicKey: string }): Promise<GatewayIdentity | undefined> {
    const token = this.#tokens.get(tokenHash);
    if (!token || token.goneAt <= this.#now()) {
      return undefined;
    }
    const { name, uid } = token.gateway;
    token.usedBy ??= { id: key.id, gateway: { name, uid }, publicKey: key.publicKey };
    this.#identities.set(token.usedBy.id, token.usedBy);
    return token.usedBy.publicKey === key.publicKey ? token.usedBy : undefined;
  }

  async identity(id: string): Promise<GatewayIdentity | undefined> {
    return this.#identities.get(id);
  }

  async countIdentities({ uid }: GatewayRef): Promise<number> {
    return [...this.#identities.values()].filter(({ gateway }) => gateway.uid === uid).length;
  }

  async revokeIdentities(gateway: GatewayRef): Promise<void> {
    this.#requireStored(gateway);
    this.#forgetKeysOf(gateway);
  }

  #requireStored({ name, uid }: GatewayRef): void {
    if (this.#gateways.get(name)?.uid !== uid) {
      throw new NotFound('gateway', name);
    }
  }

  #forgetKeysOf({ uid }: GatewayRef): void {
    for (const table of [this.#tokens, this.#identities]) {
      for (const [key, { gateway }] of table) {
        if (gateway.uid === uid) {
          table.delete(key);
        }
      }
    }
  }
}
