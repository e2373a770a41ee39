import type { GatewayLink } from '../domain/gateway.ts';
import type { Multiplexer } from '../tunnel/multiplexer.ts';
import type { Way } from './way.ts';

/** An agent's stream that ends in this process. */
interface LocalLink extends GatewayLink {
  multiplexer: Multiplexer;
}

/** The streams of agents that end in this process. */
export class LocalLinks {
  readonly #links = new Map<string, LocalLink>();

  add(link: GatewayLink, multiplexer: Multiplexer): void {
    this.#links.set(link.id, { ...link, multiplexer });
  }

  remove({ id }: GatewayLink): void {
    this.#links.delete(id);
  }

  has(id: string): boolean {
    return this.#links.has(id);
  }

  /** The agent that carries the least comes first. */
  waysTo(gatewayUid: string): Way[] {
    return [...this.#links.values()]
      .filter(({ gateway }) => gateway.uid === gatewayUid)
      .toSorted((a, b) => a.multiplexer.channels - b.multiplexer.channels)
      .map(({ id, multiplexer }) => ({
        name: id,
        open: (target, options) => multiplexer.open(target, options),
      }));
  }
}
