import { Metadata } from '@grpc/grpc-js';
import type { Secret } from '../domain/secret.ts';
import { type Carried, carryForwardOnCaller } from '../tunnel/carry.ts';
import { ChannelNotOpened } from '../tunnel/channel-errors.ts';
import { tunnelCredentials } from '../tunnel/tunnel-credentials.ts';
import { TunnelClient, tunnelOptions } from '../tunnel/tunnel-service.ts';
import type { Way } from './way.ts';

/** How this process trusts other servers, and is trusted by them. */
export interface PeerOptions {
  /** Known to all processes of the installation only. Another one once their keys were rotated. */
  bearer: () => Secret;
  /** PEM, as it is when a connection is made; undefined: the CAs that Node trusts. */
  ca: (() => string) | undefined;
  /**
   * Expected in their certificates; undefined: the host of the address, which comes from the store. Then `ca` must be
   * given: a public CA vouches for anybody.
   */
  name: string | undefined;
}

/** Streams to the other servers of this installation: one to each that holds a gateway's stream, kept while it lasts. */
export class Peers {
  readonly #options: PeerOptions;
  readonly #streams = new Map<string, Carried>();

  constructor(options: PeerOptions) {
    this.#options = options;
  }

  /** Through the server at that address, which opens the channel by an agent of its own. */
  wayTo(gatewayUid: string, address: string): Way {
    return {
      name: address,
      open: async (target, options) => this.#streamTo(address).multiplexer.open(target, { ...options, gatewayUid }),
    };
  }

  close(): void {
    for (const { end } of this.#streams.values()) {
      end(new Error('the process stops'));
    }
  }

  #streamTo(address: string): Carried {
    const stream = this.#streams.get(address) ?? this.#connect(address);
    this.#streams.set(address, stream);
    return stream;
  }

  #connect(address: string): Carried {
    const { ca, name, bearer } = this.#options;
    if (ca === undefined && name === undefined) {
      throw new ChannelNotOpened(
        'lost',
        'to trust other servers, LEASEHOLD_RELAY_CA or LEASEHOLD_RELAY_NAME must be set',
      );
    }
    const client = new TunnelClient(address, tunnelCredentials(ca?.()), {
      ...tunnelOptions,
      // The processes of an installation reach each other straight, whatever proxy is for what is outside.
      'grpc.enable_http_proxy': 0,
      ...(name === undefined ? {} : { 'grpc.ssl_target_name_override': name, 'grpc.default_authority': name }),
    });
    const metadata = new Metadata();
    metadata.set('authorization', `Bearer ${bearer().reveal()}`);
    const stream = carryForwardOnCaller(client.forward(metadata));
    void stream.over.then(() => {
      this.#streams.delete(address);
      client.close();
    });
    return stream;
  }
}
