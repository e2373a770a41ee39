import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { Socket } from 'node:net';
import { z } from 'zod';

/** https://nodejs.org/api/diagnostics_channel.html: a TCP connection was accepted. */
const ACCEPTED = 'net.server.socket';

const Accepted = z.object({ socket: z.instanceof(Socket) });

/** The ends of a connection, as each layer above it knows them. */
type Ends = Pick<Socket, 'localAddress' | 'localPort' | 'remoteAddress' | 'remotePort'>;

/** When the connections of this process came, before their handshakes: neither http2 nor gRPC tells. */
export class AcceptTimes {
  readonly #times = new Map<string, number>();
  readonly #listener = (message: unknown) => {
    const { socket } = Accepted.parse(message);
    const id = idOf(socket);
    const time = performance.now();
    this.#times.set(id, time);
    socket.once('close', () => {
      if (this.#times.get(id) === time) {
        this.#times.delete(id);
      }
    });
  };

  constructor() {
    subscribe(ACCEPTED, this.#listener);
  }

  /** As `performance.now()`. A connection that is not known came before all others. */
  of(connection: Ends): number {
    return this.#times.get(idOf(connection)) ?? Number.NEGATIVE_INFINITY;
  }

  close(): void {
    unsubscribe(ACCEPTED, this.#listener);
  }
}

function idOf({ localAddress, localPort, remoteAddress, remotePort }: Ends): string {
  return [localAddress, localPort, remoteAddress, remotePort].join(' ');
}
