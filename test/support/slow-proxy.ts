import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { Transform } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

/** A way to the API server on which every piece of a request is held up. */
export interface SlowProxy {
  url: string;
  /** 0: passes at once. */
  setDelay(ms: number): void;
  /** Nothing passes until the returned function is called. */
  hold(): () => void;
  stop(): void;
}

export async function startSlowProxy(targetUrl: string): Promise<SlowProxy> {
  const target = new URL(targetUrl);
  const sockets = new Set<Socket>();
  let delayMs = 0;
  let gate: Promise<void> = Promise.resolve();
  const server = createServer((client) => {
    const upstream = connect(Number(target.port), target.hostname);
    const delay = new Transform({
      transform(chunk, _encoding, done) {
        void Promise.all([gate, sleep(delayMs)]).then(() => done(null, chunk));
      },
    });
    client.pipe(delay).pipe(upstream).pipe(client);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      // An end that breaks ends the other one too.
      socket.on('error', () => undefined).on('close', () => [client, upstream].map((each) => each.destroy()));
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    setDelay(ms) {
      delayMs = ms;
    },
    hold() {
      const held = Promise.withResolvers<void>();
      gate = held.promise;
      return held.resolve;
    },
    stop() {
      server.close();
      for (const socket of sockets) {
        socket.destroy();
      }
    },
  };
}
