import type { GatewayRef } from '../../src/shared/domain/config.ts';
import type { GatewayLink, SeenLink } from '../../src/shared/domain/gateway.ts';
import { type Quotas, quotaReached } from '../../src/shared/domain/quotas.ts';
import type { GatewayLinks, GatewayStore } from '../../src/shared/ports/gateway-store.ts';
import { UNLIMITED_QUOTAS } from './unlimited-quotas.ts';

/** Links in memory, which are believed until they are withdrawn. */
export class MemoryGatewayLinks implements GatewayLinks {
  readonly #store: GatewayStore;
  readonly #quotas: Quotas;
  readonly #links = new Map<string, SeenLink>();
  readonly #lastSeen = new Map<string, number>();

  constructor(store: GatewayStore, quotas = UNLIMITED_QUOTAS) {
    this.#store = store;
    this.#quotas = quotas;
  }

  async announce(link: GatewayLink): Promise<boolean> {
    if (!(await this.#store.identity(link.identityId))) {
      return false;
    }
    const { length } = [...this.#links.values()].filter(({ gateway }) => gateway.uid === link.gateway.uid);
    if (!this.#links.has(link.id) && length >= this.#quotas.streamsPerGateway) {
      throw quotaReached(this.#quotas, 'streamsPerGateway', `gateway:${link.gateway.name}`);
    }
    const lastSeenTime = Date.now();
    this.#links.set(link.id, { ...link, lastSeenTime });
    this.#lastSeen.set(link.gateway.uid, lastSeenTime);
    return true;
  }

  async withdraw({ id }: GatewayLink): Promise<void> {
    this.#links.delete(id);
  }

  async of({ uid }: GatewayRef): Promise<SeenLink[]> {
    return [...this.#links.values()].filter(({ gateway }) => gateway.uid === uid);
  }

  async lastSeen({ uid }: GatewayRef): Promise<number | undefined> {
    return this.#lastSeen.get(uid);
  }
}
