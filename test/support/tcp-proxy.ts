import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** A way to a server, byte for byte. */
export interface TcpProxy {
  port: number;
  /** How many have come. */
  readonly connections: number;
  /** Nothing passes any more, either way, and nobody is told: as behind a firewall that drops everything. */
  goSilent(): void;
  /** What was held up passes, late. */
  passAgain(): void;
  stop(): void;
}

export async function startTcpProxy(
  target: { hostname: string; port: number },
  listenAt = '127.0.0.1',
): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  let isSilent = false;
  let connections = 0;
  const server = createServer({ pauseOnConnect: true }, (client) => {
    connections++;
    const upstream = connect(target.port, target.hostname);
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from);
      from.setNoDelay(true);
      // An end that breaks ends the other one too.
      from
        .on('error', () => undefined)
        .on('close', () => {
          sockets.delete(from);
          to.destroy();
        });
      from.on('data', (chunk) => void to.write(chunk));
      from.on('end', () => to.end());
      if (isSilent) {
        from.pause();
      } else {
        from.resume();
      }
    }
  });
  server.listen(0, listenAt);
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    get connections() {
      return connections;
    },
    goSilent() {
      isSilent = true;
      for (const socket of sockets) {
        socket.pause();
      }
    },
    passAgain() {
      isSilent = false;
      for (const socket of sockets) {
        socket.resume();
      }
    },
    stop() {
      server.close();
      for (const socket of sockets) {
        socket.destroy();
      }
    },
  };
}
