import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, expect, test, vi } from 'vitest';
import type { Channel } from '../../src/shared/tunnel/channel.ts';
import { WINDOW } from '../../src/shared/tunnel/credit.ts';
import { join } from '../../src/shared/tunnel/join.ts';
import { PATIENCE_MS } from '../support/patience.ts';
import { closing, openChannel, readAll, tunnelOf } from '../support/tunnel.ts';

const API_SERVER = { kind: 'api-server' } as const;
const TIMEOUT = { timeoutMs: PATIENCE_MS };

/** As between servers: a channel into the first tunnel leads into a channel of the second. */
function chain(accept: (signal: AbortSignal) => Promise<(channel: Channel) => void>) {
  const inner = tunnelOf({ accept: (_, signal) => accept(signal) });
  const outer = tunnelOf({
    accept: async ({ target }, signal) => {
      const channel = await inner.opener.open(target, { ...TIMEOUT, signal });
      return (asked) => join(asked, channel);
    },
  });
  const expectEmpty = () =>
    vi.waitFor(
      () =>
        expect([outer, inner].flatMap(({ opener, accepter }) => [opener.channels, accepter.channels])).toEqual([
          0, 0, 0, 0,
        ]),
      { timeout: PATIENCE_MS },
    );
  return { inner, outer, expectEmpty };
}

async function openChain() {
  const accepted = Promise.withResolvers<Channel>();
  const tunnels = chain(async () => accepted.resolve);
  const near = await tunnels.outer.opener.open(API_SERVER, TIMEOUT);
  return { near, far: await accepted.promise, ...tunnels };
}

test('bytes and ends go all the way, both ways', async () => {
  const { near, far, expectEmpty } = await openChain();
  const [there, back] = [randomBytes(1_000_000), randomBytes(1_000_000)];
  near.end(there);
  expect((await readAll(far)).equals(there)).toBe(true);
  far.end(back);
  expect((await readAll(near)).equals(back)).toBe(true);
  await expectEmpty();
});

test.each(['near', 'far'] as const)('destroying the %s end closes all, and is told to the other end', async (side) => {
  const { near, far, expectEmpty } = await openChain();
  const broken = closing(side === 'near' ? far : near);
  (side === 'near' ? near : far).destroy(new Error('nobody wants it'));
  expect(await broken).toMatchObject({ code: 'ECONNRESET', message: expect.stringContaining('nobody wants it') });
  await expectEmpty();
});

test('the loss of the stream between breaks both ends', async () => {
  const { near, far, inner, expectEmpty } = await openChain();
  const broken = Promise.all([closing(near), closing(far)]);
  inner.opener.close(new Error('the agent went away'));
  inner.accepter.close(new Error('the agent went away'));
  for (const error of await broken) {
    expect(error).toMatchObject({ code: 'ECONNRESET', message: expect.stringContaining('went away') });
  }
  await expectEmpty();
});

test('an end that is not read stops the other after a few windows', async () => {
  const { near, far } = await openChain();
  let accepted = 0;
  const pour = () => {
    while (accepted < 100_000_000 && near.write(Buffer.alloc(10_000))) {
      accepted += 10_000;
    }
  };
  near.on('drain', pour);
  pour();
  for (let i = 0; i < 200; i += 1) {
    await turn();
  }
  expect(accepted).toBeLessThan(5 * WINDOW);
  expect(far.readableLength).toBe(WINDOW);
});

test('an open that is given up at one end is given up at the other', async () => {
  const signal = Promise.withResolvers<AbortSignal>();
  const { outer, expectEmpty } = chain((given) => {
    signal.resolve(given);
    return new Promise(() => undefined);
  });
  const opening = outer.opener.open(API_SERVER, { timeoutMs: 20 });
  await expect(opening).rejects.toMatchObject({ reason: 'timeout' });
  const given = await signal.promise;
  await vi.waitFor(() => expect(given.aborted).toBe(true), { timeout: PATIENCE_MS });
  await expectEmpty();
});

const servers: net.Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.close();
  }
});

/** A channel that is joined to a TCP connection, as in an agent. */
async function toTcp(serve: (socket: net.Socket) => void) {
  const server = net.createServer({ allowHalfOpen: true }, serve).listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  const socket = net.connect({ port: (server.address() as net.AddressInfo).port, allowHalfOpen: true });
  await once(socket, 'connect');
  const { near, far } = await openChannel();
  join(far, socket);
  return { near, socket };
}

test('a channel reaches a TCP server, which may answer after the question has ended', async () => {
  const { near, socket } = await toTcp(async (connection) => {
    const question = await readAll(connection);
    connection.end(question.reverse());
  });
  const question = randomBytes(1_000_000);
  near.end(question);
  expect((await readAll(near)).equals(Buffer.from(question).reverse())).toBe(true);
  await vi.waitFor(() => expect([near.destroyed, socket.destroyed]).toEqual([true, true]), { timeout: PATIENCE_MS });
});

test('a TCP server that says much and hangs up is heard to the end', async () => {
  const said = randomBytes(1_000_000);
  const { near } = await toTcp((connection) => void connection.end(said));
  expect((await readAll(near)).equals(said)).toBe(true);
});

test('a TCP connection that is reset breaks its channel; a channel that breaks closes its connection', async () => {
  const reset = await toTcp((connection) => void connection.once('data', () => connection.resetAndDestroy()));
  const broken = closing(reset.near);
  reset.near.write('x');
  expect(await broken).toMatchObject({ code: 'ECONNRESET' });

  const hungUp = Promise.withResolvers<void>();
  const { near } = await toTcp((connection) => void connection.on('end', () => hungUp.resolve()).resume());
  near.write('x');
  near.destroy(new Error('enough'));
  await hungUp.promise;
});
