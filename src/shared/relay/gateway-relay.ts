import type { Duplex } from 'node:stream';
import type { GatewayRef } from '../domain/config.ts';
import { Unavailable } from '../domain/errors.ts';
import { type GatewayDialer, NotDialled } from '../ports/gateway-dialer.ts';
import type { GatewayLinks } from '../ports/gateway-store.ts';
import { countDial } from '../telemetry/metrics.ts';
import { ChannelNotOpened } from '../tunnel/channel-errors.ts';
import type { Target } from '../tunnel/target.ts';
import { LocalLinks } from './local-links.ts';
import type { Peers } from './peers.ts';
import { SlowOnes } from './slow-ones.ts';
import type { Way } from './way.ts';

/** In less time no way is found; it would only be taken for a slow one. */
const WORTH_TRYING_MS = 20;

/** Finds a way to a gateway: an agent whose stream ends here, or else one whose stream ends at another server. */
export class GatewayRelay implements GatewayDialer {
  /** A worker has none. */
  readonly local = new LocalLinks();
  readonly #links: Pick<GatewayLinks, 'of'>;
  readonly #peers: Pick<Peers, 'wayTo'>;
  readonly #slow = new SlowOnes();

  constructor(links: Pick<GatewayLinks, 'of'>, peers: Pick<Peers, 'wayTo'>) {
    this.#links = links;
    this.#peers = peers;
  }

  async dial(gateway: GatewayRef, target: 'api-server' | { address: string }, timeoutMs: number): Promise<Duplex> {
    const wanted: Target =
      target === 'api-server' ? { kind: 'api-server' } : { kind: 'address', address: target.address };
    try {
      const channel = await this.#open(gateway, wanted, performance.now() + timeoutMs);
      countDial(gateway.name, 'connected');
      return channel;
    } catch (error) {
      const why = notDialled(gateway, error);
      countDial(gateway.name, why.reason);
      throw why;
    }
  }

  /** For those who know that an agent's stream ends here. Throws ChannelNotOpened. */
  openHere(gatewayUid: string, target: Target, timeoutMs: number, signal: AbortSignal): Promise<Duplex> {
    return this.#openBy(this.local.waysTo(gatewayUid), target, performance.now() + timeoutMs, signal);
  }

  async #open(gateway: GatewayRef, target: Target, deadline: number): Promise<Duplex> {
    const here = this.local.waysTo(gateway.uid);
    const good = here.filter((way) => !this.#slow.has(way));
    try {
      return await this.#openBy(good, target, deadline);
    } catch (failure) {
      if (!(failure instanceof ChannelNotOpened) || failure.reason === 'refused') {
        throw failure;
      }
      // Others are looked for only where nobody here can: it takes a look into the store.
      const others = [...(await this.#waysElsewhere(gateway)), ...here.filter((way) => !good.includes(way))];
      if (others.length === 0 || deadline - performance.now() < WORTH_TRYING_MS) {
        throw failure;
      }
      return this.#openBy(others, target, deadline);
    }
  }

  async #waysElsewhere(gateway: GatewayRef): Promise<Way[]> {
    const links = await this.#links.of(gateway);
    const servers = new Set(links.filter(({ id }) => !this.local.has(id)).map(({ server }) => server));
    return [...servers].map((server) => this.#peers.wayTo(gateway.uid, server));
  }

  /** Tries one way after the other, each for its share of the time. Throws ChannelNotOpened, at once where one refuses. */
  async #openBy(ways: readonly Way[], target: Target, deadline: number, signal?: AbortSignal): Promise<Duplex> {
    let failure = new ChannelNotOpened('not-attached', 'none of its agents is connected');
    for (const [index, way] of ways.toSorted((a, b) => this.#slow.rank(a) - this.#slow.rank(b)).entries()) {
      try {
        const timeoutMs = Math.max(0, deadline - performance.now()) / (ways.length - index);
        return await way.open(target, { timeoutMs, signal });
      } catch (error) {
        if (!(error instanceof ChannelNotOpened) || error.reason === 'refused') {
          throw error;
        }
        if (error.reason === 'timeout') {
          this.#slow.note(way);
        }
        failure = error;
        if (signal?.aborted) {
          break;
        }
      }
    }
    throw failure;
  }
}

function notDialled({ name }: GatewayRef, failure: unknown): NotDialled {
  const cause = { cause: failure };
  if (failure instanceof Unavailable) {
    return new NotDialled(name, 'not-connected', `where its agents are cannot be asked: ${failure.message}`, cause);
  }
  if (!(failure instanceof ChannelNotOpened)) {
    throw failure;
  }
  switch (failure.reason) {
    case 'refused':
      return new NotDialled(name, 'refused', failure.message, cause);
    case 'unreachable':
    case 'timeout':
      return new NotDialled(
        name,
        'unreachable',
        `gateway ${JSON.stringify(name)} could not connect: ${failure.message}`,
        cause,
      );
    case 'not-attached':
    case 'lost':
      return new NotDialled(name, 'not-connected', failure.message, cause);
  }
}
