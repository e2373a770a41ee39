import { once } from 'node:events';
import { type ClientHttp2Session, connect, createServer, type ServerHttp2Session } from 'node:http2';
import { type AddressInfo, connect as connectTcp } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { UnauthenticatedConnections } from '../../src/server/transport/unauthenticated-connections.ts';
import { eventually } from '../support/eventually.ts';

/** An HTTP/2 server that does with its sessions what a test wants, and how many connections it has. */
async function serve(options: { max?: number; idleMs?: number }, opened?: Opened) {
  const evicted: number[] = [];
  const connections = new UnauthenticatedConnections({ max: 100, maxStreams: 256, ...options }, () => evicted.push(1));
  const server = createServer();
  await connections.bounding(async () => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  server.on('session', (session) => opened?.(connections, session));
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  return { evicted, connections, port };
}
type Opened = (connections: UnauthenticatedConnections, session: ServerHttp2Session) => void;

async function open(port: number): Promise<ClientHttp2Session> {
  const session = connect(`http://127.0.0.1:${port}`).on('error', () => undefined);
  await once(session, 'remoteSettings');
  onTestFinished(() => session.destroy());
  return session;
}

const SOON_MS = 50;

test('a connection on which nobody calls is closed, with HTTP/2 or without', async () => {
  const { port } = await serve({ idleMs: SOON_MS });
  const session = await open(port);
  const socket = connectTcp(port, '127.0.0.1')
    .on('error', () => undefined)
    .resume();
  await eventually(async () => expect([session.destroyed, socket.destroyed]).toEqual([true, true]));
});

test('one that stays open for health checking is not idle while a call of it lasts', async () => {
  const ends: (() => void)[] = [];
  const { port } = await serve({ idleMs: SOON_MS }, (connections, session) => {
    ends.push(connections.beginAnonymous(session));
  });
  const first = await open(port);
  const second = await open(port);
  ends[1]?.();
  await eventually(async () => expect(second.destroyed).toBe(true));
  expect(first.destroyed).toBe(false);
});

test('one that was authenticated stays, and counts no more', async () => {
  const known: ServerHttp2Session[] = [];
  const { port, evicted, connections } = await serve({ max: 2, idleMs: SOON_MS }, (connections, session) => {
    if (known.length === 0) {
      known.push(session);
      connections.authenticated(session);
    }
  });
  const caller = await open(port);
  const strangers = [await open(port), await open(port)];
  await eventually(async () => expect(strangers.map(({ destroyed }) => destroyed)).toEqual([true, true]));
  expect(caller.destroyed).toBe(false);
  expect(connections.isAuthenticated(known[0])).toBe(true);
  expect(evicted.length).toBeLessThan(2);
});

test('of those that are too many the oldest is closed', async () => {
  const { port, evicted } = await serve({ max: 4 });
  const sessions = [await open(port), await open(port), await open(port)];
  await eventually(async () => expect(sessions.map(({ destroyed }) => destroyed)).toEqual([true, false, false]));
  expect(evicted).toHaveLength(1);
});
