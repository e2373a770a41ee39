import type { GatewayRef } from '../../src/shared/domain/config.ts';
import type { GatewayLink, SeenLink } from '../../src/shared/domain/gateway.ts';
import type { GatewayLinks, GatewayStore } from '../../src/shared/ports/gateway-store.ts';

/** Links in memory, which are believed until they are withdrawn. */
export class MemoryGatewayLinks implements GatewayLinks {
  readonly #store: GatewayStore;
  readonly #links = new Map<string, SeenLink>();
  readonly #lastSeen = new Map<string, number>();

  constructor(store: GatewayStore) {
    this.#store = store;
  }

  async announce(link: GatewayLink): Promise<boolean> {
    if (!(await this.#store.identity(link.identityId))) {
      return false;
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
