import type { GatewayRef } from '../../src/shared/domain/config.ts';
import { AlreadyExists, NotFound } from '../../src/shared/domain/errors.ts';
import type { Gateway, GatewayIdentity } from '../../src/shared/domain/gateway.ts';
import { type Quotas, quotaReached } from '../../src/shared/domain/quotas.ts';
import type { GatewayStore } from '../../src/shared/ports/gateway-store.ts';
import { UNLIMITED_QUOTAS } from './unlimited-quotas.ts';

interface Token {
  gateway: GatewayRef;
  creator: string | undefined;
  goneAt: number;
  usedBy?: GatewayIdentity;
}

/** Gateways in memory. */
export class MemoryGatewayStore implements GatewayStore {
  readonly #now: () => number;
  readonly #quotas: Quotas;
  readonly #gateways = new Map<string, Gateway>();
  /** Of gateways by their names. */
  readonly #creators = new Map<string, string | undefined>();
  readonly #tokens = new Map<string, Token>();
  readonly #identities = new Map<string, GatewayIdentity>();

  constructor(now: () => number = Date.now, quotas = UNLIMITED_QUOTAS) {
    this.#now = now;
    this.#quotas = quotas;
  }

  async create(gateway: Gateway, creator?: string): Promise<void> {
    if (this.#gateways.has(gateway.name)) {
      throw new AlreadyExists('GATEWAY_NAME_TAKEN', `there is a gateway ${gateway.name} already`);
    }
    const created = [...this.#creators.values()].filter((other) => other === creator);
    if (creator !== undefined && created.length >= this.#quotas.gatewaysPerPrincipal) {
      throw quotaReached(this.#quotas, 'gatewaysPerPrincipal', `principal:${creator}`);
    }
    this.#gateways.set(gateway.name, gateway);
    this.#creators.set(gateway.name, creator);
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
    this.#creators.delete(gateway.name);
    this.#forgetKeysOf(gateway);
  }

  async keepToken(gateway: GatewayRef, tokenHash: string, ttlMs: number, creator?: string): Promise<void> {
    this.#requireStored(gateway);
    const tokens = [...this.#tokens.values()].filter(
      (token) => token.creator === creator && token.goneAt > this.#now(),
    );
    if (creator !== undefined && tokens.length >= this.#quotas.enrollmentTokensPerPrincipal) {
      throw quotaReached(this.#quotas, 'enrollmentTokensPerPrincipal', `principal:${creator}`);
    }
    this.#tokens.set(tokenHash, { gateway, creator, goneAt: this.#now() + ttlMs });
  }

  async enrol(tokenHash: string, key: { id: string; publicKey: string }): Promise<GatewayIdentity | undefined> {
    const token = this.#tokens.get(tokenHash);
    if (!token || token.goneAt <= this.#now()) {
      return undefined;
    }
    const { name, uid } = token.gateway;
    if (!token.usedBy && this.#identitiesOf(token.gateway).length >= this.#quotas.identitiesPerGateway) {
      throw quotaReached(this.#quotas, 'identitiesPerGateway', `gateway:${name}`);
    }
    token.usedBy ??= { id: key.id, gateway: { name, uid }, publicKey: key.publicKey };
    this.#identities.set(token.usedBy.id, token.usedBy);
    return token.usedBy.publicKey === key.publicKey ? token.usedBy : undefined;
  }

  async identity(id: string): Promise<GatewayIdentity | undefined> {
    return this.#identities.get(id);
  }

  async countIdentities(gateway: GatewayRef): Promise<number> {
    return this.#identitiesOf(gateway).length;
  }

  async revokeIdentities(gateway: GatewayRef): Promise<void> {
    this.#requireStored(gateway);
    this.#forgetKeysOf(gateway);
  }

  #identitiesOf({ uid }: GatewayRef): GatewayIdentity[] {
    return [...this.#identities.values()].filter(({ gateway }) => gateway.uid === uid);
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
