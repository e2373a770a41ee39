import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';

/** Takes connections and says nothing, as a cluster behind a broken firewall. */
export interface SilentServer {
  url: string;
  /** How many have come. */
  readonly connections: number;
  /** Breaks off those that are there. */
  hangUp(): void;
  stop(): void;
}

export async function startSilentServer(): Promise<SilentServer> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => sockets.push(socket.on('error', () => undefined)));
  const hangUp = () => {
    for (const socket of sockets) {
      socket.destroy();
    }
  };
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get connections() {
      return sockets.length;
    },
    hangUp,
    stop() {
      server.close();
      hangUp();
    },
  };
}
