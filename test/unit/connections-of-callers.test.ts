import { once } from 'node:events';
import { type ClientHttp2Session, connect, createServer, type ServerHttp2Stream } from 'node:http2';
import { type AddressInfo, connect as connectTcp } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { ConnectionsOfCallers } from '../../src/server/transport/connections-of-callers.ts';
import { eventually } from '../support/eventually.ts';

const MAX = 3;

/** An HTTP/2 server that knows a caller by the path of its calls. A path that ends in `/long` is not answered. */
async function serve() {
  const evicted: string[] = [];
  const connections = new ConnectionsOfCallers(MAX, (principal) => void evicted.push(principal));
  const long: ServerHttp2Stream[] = [];
  const server = createServer();
  let count = 0;
  server.on('session', (session) => {
    count += 1;
    session.once('close', () => {
      count -= 1;
    });
  });
  server.on('stream', (stream, headers) => {
    const [, principal = '', kind] = String(headers[':path']).split('/');
    connections.called(stream, principal);
    if (kind === 'long') {
      long.push(stream);
    } else {
      stream.respond({ ':status': 200 }, { endStream: true });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const open = () => {
    const session = connect(`http://127.0.0.1:${port}`).on('error', () => undefined);
    onTestFinished(() => session.destroy());
    return session;
  };
  return { evicted, long, open, port, count: () => count };
}

/** The status that a call is answered with. */
async function call(session: ClientHttp2Session, path: string): Promise<unknown> {
  const stream = session.request({ ':path': path }).resume();
  const [headers] = await once(stream, 'response');
  await once(stream, 'close');
  return headers[':status'];
}

/** Of a call that is not answered. */
function begin(session: ClientHttp2Session, path: string) {
  return session.request({ ':path': path }).on('error', () => undefined);
}

const closed = (sessions: readonly ClientHttp2Session[]) => sessions.map(({ destroyed }) => destroyed);

test('of too many the one that was not used for longest is closed, and no call is lost', async () => {
  const { open, evicted } = await serve();
  const sessions = [open(), open(), open()];
  for (const session of sessions) {
    await call(session, '/alice');
  }
  await call(sessions[0] ?? open(), '/alice');
  const newest = open();
  expect(await call(newest, '/alice')).toBe(200);
  await eventually(async () => expect(closed([...sessions, newest])).toEqual([false, true, false, false]));
  expect(evicted).toEqual(['alice']);
});

test('one with a call under way stays, and another that is idle is closed', async () => {
  const { open, long } = await serve();
  const [busy, idle] = [open(), open()];
  begin(busy, '/alice/long');
  await eventually(async () => expect(long).toHaveLength(1));
  await call(idle, '/alice');
  await call(open(), '/alice');
  await call(open(), '/alice');
  await eventually(async () => expect(closed([busy, idle])).toEqual([false, true]));
});

test('where all have a call under way the newest takes no more, and is closed when its own has ended', async () => {
  const { open, long } = await serve();
  const sessions = [open(), open(), open()];
  for (const [index, session] of sessions.entries()) {
    begin(session, '/alice/long');
    await eventually(async () => expect(long).toHaveLength(index + 1));
  }
  const newest = open();
  begin(newest, '/alice/long');
  await once(newest, 'goaway');
  expect(closed([...sessions, newest])).toEqual([false, false, false, false]);
  long.at(-1)?.respond({ ':status': 200 }, { endStream: true });
  await eventually(async () => expect(closed([...sessions, newest])).toEqual([false, false, false, true]));
});

test('each caller has as many of its own', async () => {
  const { open, evicted } = await serve();
  for (const principal of ['alice', 'bob']) {
    for (let count = 0; count < MAX; count++) {
      await call(open(), `/${principal}`);
    }
  }
  expect(evicted).toEqual([]);
});

test("a proxy's connection counts once, for whoever called last", async () => {
  const { open, evicted } = await serve();
  for (let count = 0; count < 2 * MAX; count++) {
    const proxy = open();
    await call(proxy, '/alice');
    await call(proxy, count % 2 === 0 ? '/bob' : '/carol');
  }
  expect(evicted).toEqual([]);
});

test('one that is gone counts no more', async () => {
  const { open, evicted, count } = await serve();
  for (let each = 0; each < 2 * MAX; each++) {
    const session = open();
    await call(session, '/alice');
    session.destroy();
    await eventually(async () => expect(count()).toBe(0));
  }
  expect(evicted).toEqual([]);
});

/** Preface and SETTINGS (RFC 9113, 3.4), then HEADERS on stream 1: GET, http, `:authority: a` and `:path: /alice`. */
const CALL_OF_ALICE = Buffer.concat([
  Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  Buffer.of(0, 0, 0, 4, 0, 0, 0, 0, 0),
  Buffer.of(0, 0, 13, 1, 5, 0, 0, 0, 1, 0x82, 0x86, 0x01, 1, 0x61, 0x04, 6),
  Buffer.from('/alice'),
]);

test('a client that does not close its connection when it is told to has it closed', async () => {
  const { open, port, count } = await serve();
  const deaf = connectTcp({ port, host: '127.0.0.1', allowHalfOpen: true });
  deaf.resume().on('error', () => undefined);
  onTestFinished(() => void deaf.destroy());
  deaf.write(CALL_OF_ALICE);
  await eventually(async () => expect(count()).toBe(1));
  for (let count = 0; count < MAX; count++) {
    await call(open(), '/alice');
  }
  await eventually(async () => expect(deaf.readableEnded || deaf.destroyed).toBe(true));
});
