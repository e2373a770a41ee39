import { promises as dns, type LookupAddress } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { buildConnector } from 'undici';
import { type Network, refusalOf } from './judge-address.ts';

/** All addresses of a host's name. Fails where it has none. */
export type Resolve = (host: string) => Promise<LookupAddress[]>;

const byTheSystem: Resolve = (host) => dns.lookup(host, { all: true });

/** A host was not dialled, because Leasehold does not call such an address. */
export class AddressNotAllowed extends Error {
  constructor(host: string, address: string, refusal: string) {
    super(host === address ? `${host} is ${refusal}` : `${host} leads to ${address}, ${refusal}`);
    this.name = 'AddressNotAllowed';
  }
}

/** Whether a call failed because of it. */
export function isAddressNotAllowed(error: unknown): boolean {
  return error instanceof AddressNotAllowed || (error instanceof Error && isAddressNotAllowed(error.cause));
}

/**
 * Keeps whoever may write a config, or an issuer's discovery document, from having this machine call what only it can
 * reach. A name is resolved once for each connection, every address of it is judged, and those that were judged are
 * dialed: a second answer of its DNS is never asked for.
 */
export class EgressGuard {
  readonly #allowed: readonly Network[];
  readonly #resolve: Resolve;
  readonly #resolving = new Map<string, Promise<LookupAddress[]>>();

  /** `allowed`: the loopback and private networks that may be called. */
  constructor(allowed: readonly Network[], resolve: Resolve = byTheSystem) {
    this.#allowed = allowed;
    this.#resolve = resolve;
  }

  /** A connector that dials only what may be called. Its callback gets AddressNotAllowed where that is nothing. */
  connector(options: buildConnector.BuildOptions): buildConnector.connector {
    const connect = buildConnector({ ...options, lookup: this.#lookup });
    return (target, callback) => {
      try {
        this.#requireLiteralAllowed(target.hostname);
      } catch (error) {
        callback(error as Error, null);
        return;
      }
      connect(target, callback);
    };
  }

  /** Throws AddressNotAllowed where the host of a URL is an address that may not be called. Names are judged later. */
  requireMayCall(url: string): void {
    this.#requireLiteralAllowed(new URL(url).hostname.replace(/^\[|\]$/g, ''));
  }

  readonly #lookup: LookupFunction = (host, options, callback) => {
    this.#addressesOf(host).then(
      (addresses) =>
        options.all ? callback(null, addresses) : callback(null, addresses[0].address, addresses[0].family),
      (error: NodeJS.ErrnoException) => callback(error, ''),
    );
  };

  async #addressesOf(host: string): Promise<[LookupAddress, ...LookupAddress[]]> {
    const [first, ...others] = await this.#resolveOnce(host);
    if (!first) {
      throw new Error(`${host} has no address`);
    }
    for (const { address } of [first, ...others]) {
      this.#requireAllowed(host, address);
    }
    return [first, ...others];
  }

  /**
   * Those who ask at the same time get one answer. The system resolves names in few threads of this process: one that
   * its name server keeps waiting for must not take them all, and hold up the calls to other clusters.
   */
  #resolveOnce(host: string): Promise<LookupAddress[]> {
    const resolving = this.#resolving.get(host) ?? this.#resolve(host).finally(() => this.#resolving.delete(host));
    this.#resolving.set(host, resolving);
    return resolving;
  }

  /** For a host that is an address: it is dialed without a lookup. */
  #requireLiteralAllowed(host: string): void {
    if (isIP(host) !== 0) {
      this.#requireAllowed(host, host);
    }
  }

  #requireAllowed(host: string, address: string): void {
    const refusal = refusalOf(address, this.#allowed);
    if (refusal !== undefined) {
      throw new AddressNotAllowed(host, address, refusal);
    }
  }
}
