import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { Socket } from 'node:net';
import { z } from 'zod';
import { connectionId, type Ends } from './connection-id.ts';

/** https://nodejs.org/api/diagnostics_channel.html: a TCP connection was accepted. */
const ACCEPTED = 'net.server.socket';

const Accepted = z.object({ socket: z.instanceof(Socket) });

/** When the connections of this process came, before their handshakes: neither http2 nor gRPC tells. */
export class AcceptTimes {
  readonly #times = new Map<string, number>();
  readonly #listener = (message: unknown) => {
    const { socket } = Accepted.parse(message);
    const id = connectionId(socket);
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
    return this.#times.get(connectionId(connection)) ?? Number.NEGATIVE_INFINITY;
  }

  close(): void {
    unsubscribe(ACCEPTED, this.#listener);
  }
}
