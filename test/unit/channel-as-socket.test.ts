import { randomBytes } from 'node:crypto';
import { createServer, type RequestListener } from 'node:http';
import { buffer } from 'node:stream/consumers';
import tls from 'node:tls';
import { type buildConnector, Pool } from 'undici';
import { expect, test, vi } from 'vitest';
import type { Channel } from '../../src/shared/tunnel/channel.ts';
import type { Multiplexer } from '../../src/shared/tunnel/multiplexer.ts';
import { cert, key } from '../support/answering-server.ts';
import { PATIENCE_MS } from '../support/patience.ts';
import { closing, openChannel, readAll, tunnelOf } from '../support/tunnel.ts';

/** As it is used between Leasehold and an agent: undici on one end of the channels, Node's HTTP server on the other. */
function httpOver(answer: RequestListener, connections: number) {
  const server = createServer(answer);
  const accepted: Channel[] = [];
  const { opener } = tunnelOf({
    accept: async () => (channel) => {
      accepted.push(channel);
      server.emit('connection', channel);
    },
  });
  return { pool: new Pool('http://api-server', { connections, connect: connectOver(opener) }), accepted, opener };
}

function connectOver(multiplexer: Multiplexer): buildConnector.connector {
  return (_options, callback) => {
    multiplexer.open({ kind: 'api-server' }, { timeoutMs: PATIENCE_MS }).then(
      // All that undici wants of a socket.
      (channel) => callback(null, channel as never),
      (error) => callback(error, null),
    );
  };
}

test('many requests go over one channel that is kept alive', async () => {
  const { pool, accepted } = httpOver(async (request, response) => {
    response.end(`${request.method} ${request.url} ${await buffer(request)}`);
  }, 1);
  for (let i = 0; i < 100; i += 1) {
    const { body } = await pool.request({ method: 'POST', path: `/${i}`, body: `{"number":${i}}` });
    expect(await body.text()).toBe(`POST /${i} {"number":${i}}`);
  }
  expect(accepted.length).toBe(1);
  await pool.close();
  await vi.waitFor(() => expect(accepted[0]?.destroyed).toBe(true), { timeout: PATIENCE_MS });
});

test('requests side by side, with large bodies both ways, get each its own answer', async () => {
  const { pool, accepted } = httpOver((request, response) => void request.pipe(response), 8);
  await Promise.all(
    Array.from({ length: 40 }, async (_, i) => {
      const sent = randomBytes(i * 20_000);
      const { body } = await pool.request({ method: 'PUT', path: '/', body: sent });
      expect(Buffer.from(await body.arrayBuffer()).equals(sent)).toBe(true);
    }),
  );
  expect(accepted.length).toBe(8);
  await pool.close();
});

test('a request that is aborted destroys its channel, and the server sees it', async () => {
  const cutOff = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  const { pool, accepted } = httpOver((request, response) => {
    if (request.url === '/fast') {
      response.end('fast');
    } else {
      response.on('close', cutOff.resolve);
      asked.resolve();
    }
  }, 2);
  const controller = new AbortController();
  const slow = pool.request({ method: 'GET', path: '/slow', signal: controller.signal });
  await asked.promise;
  controller.abort();
  await expect(slow).rejects.toMatchObject({ name: 'AbortError' });
  await cutOff.promise;
  expect(accepted[0]?.destroyed).toBe(true);
  const { body } = await pool.request({ method: 'GET', path: '/fast' });
  expect(await body.text()).toBe('fast');
  await pool.close();
});

test('a request fails when its stream is gone, also while its body comes', async () => {
  const { pool, opener } = httpOver((_request, response) => void response.write('half of'), 1);
  const { body } = await pool.request({ method: 'GET', path: '/' });
  const text = body.text();
  opener.close(new Error('the agent went away'));
  await expect(text).rejects.toThrow();
  await expect(pool.request({ method: 'GET', path: '/' })).rejects.toMatchObject({ reason: 'lost' });
  await pool.destroy();
});

test('a server that ends the connection after its answer has the whole answer arrive', async () => {
  const all = randomBytes(500_000);
  const { pool, accepted } = httpOver((_request, response) => {
    response.setHeader('connection', 'close');
    response.end(all);
  }, 1);
  for (let i = 0; i < 3; i += 1) {
    const { body } = await pool.request({ method: 'GET', path: '/' });
    expect(Buffer.from(await body.arrayBuffer()).equals(all)).toBe(true);
  }
  expect(accepted.length).toBe(3);
  await vi.waitFor(() => expect(accepted.every(({ destroyed }) => destroyed)).toBe(true), { timeout: PATIENCE_MS });
  await pool.close();
});

/** TLS on both ends of a channel. */
async function tlsOver() {
  const { near, far } = await openChannel();
  const server = new tls.TLSSocket(far, { isServer: true, key, cert });
  const client = tls.connect({ socket: near, host: '127.0.0.1', ca: cert });
  return { near, far, server, client };
}

test('TLS goes over a channel, end to end', async () => {
  const { server, client, near, far } = await tlsOver();
  const [there, back] = [randomBytes(1_000_000), randomBytes(1_000_000)];
  client.end(there);
  server.end(back);
  const closed = Promise.all([closing(near), closing(far)]);
  const [atServer, atClient] = await Promise.all([readAll(server), readAll(client)]);
  expect(client.authorized).toBe(true);
  expect(atServer.equals(there)).toBe(true);
  expect(atClient.equals(back)).toBe(true);
  await closed;
});

test('TLS that does not trust the other end closes the channel', async () => {
  const { near, far } = await openChannel();
  new tls.TLSSocket(far, { isServer: true, key, cert }).on('error', () => undefined);
  const client = tls.connect({ socket: near, host: '127.0.0.1' }).on('error', () => undefined);
  const closed = Promise.all([closing(near), closing(far)]);
  expect(await closing(client)).toMatchObject({ code: 'DEPTH_ZERO_SELF_SIGNED_CERT' });
  await closed;
});

test('TLS whose channel breaks, breaks', async () => {
  const { server, client, near } = await tlsOver();
  await new Promise((resolve) => client.once('secureConnect', resolve));
  server.on('error', () => undefined);
  client.on('error', () => undefined);
  const broken = Promise.all([closing(client), closing(server)]);
  near.destroy(new Error('cut'));
  await broken;
});
