import { once } from 'node:events';
import { Status } from 'nice-grpc';
import { afterAll, beforeAll, beforeEach, expect, inject, onTestFinished, test } from 'vitest';
import { openDoors } from '../../src/server/doors.ts';
import { type RunningServer, startServer } from '../../src/server/start-server.ts';
import { readSettings } from '../../src/shared/settings.ts';
import { createLogger } from '../../src/shared/telemetry/logger.ts';
import { makeTempFolder, type TempFolder } from '../servers/temp-folder.ts';
import { eventually } from '../support/eventually.ts';
import { bombWithHeaders } from '../support/header-bomb.ts';
import { connectTo, type LeaseholdClient, leaseholdEnvironment } from '../support/leasehold.ts';
import { framed, RawGrpc } from '../support/raw-grpc.ts';
import { recordSpans } from '../support/record-spans.ts';
import { linesOf } from '../support/secure-site.ts';
import { ADMIN_KEY } from '../support/security.ts';
import { type BodyFlood, type Flood, floodWithBodies, floodWithConnections, OPENINGS } from '../support/strangers.ts';
import { writeRelayCertificate } from '../support/transports/relay-certificate.ts';

// What clients that nobody knows can have a server hold, and whether callers are served beside them.

const LIST = '/leasehold.v1.ConfigService/ListConfigs';
const HEALTH = '/grpc.health.v1.Health/Check';
const WATCH = '/grpc.health.v1.Health/Watch';
const BATCH = '/leasehold.v1.LeaseService/BatchRevokeLeases';
const REFLECT = '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo';
const ATTACH = '/leasehold.tunnel.v1.TunnelService/Attach';
const ENROL = '/leasehold.tunnel.v1.TunnelService/Enrol';

const KIB = 1024;

/** What HTTP/2 lets a sender send on a stream before anybody reads (RFC 9113, 6.9.2), and what Node takes ahead. */
const UNREAD_BYTES = 128 * KIB;

/** A bearer token that takes for ever to be verified. */
const SLOW = 'slow';

/** As many streams as a connection may have before a call on it is authenticated. */
const EARLY_STREAMS = 8;

const MAX_CONNECTIONS = 64;
const MAX_CALLS = 16;

/** A constant of the server. */
const MAX_CONNECTIONS_OF_A_CALLER = 256;

const spans = recordSpans();
let folder: TempFolder;
let server: RunningServer;
let client: LeaseholdClient;
let relayAddress: string;
let relayCa: string;
const logs: string[] = [];
beforeAll(async () => {
  folder = await makeTempFolder('unauthenticated');
  const { ofServers, caPem } = await writeRelayCertificate(folder.path);
  relayCa = caPem;
  const settings = readSettings({
    ...leaseholdEnvironment(inject('redisUrl')),
    LEASEHOLD_MAX_UNAUTHENTICATED_CONNECTIONS: `${MAX_CONNECTIONS}`,
    LEASEHOLD_MAX_CALLS_PER_PRINCIPAL: `${MAX_CALLS}`,
    LEASEHOLD_RELAY_LISTEN: '127.0.0.1:0',
    ...ofServers,
  });
  const log = createLogger('server', 'info', { write: (line: string) => void logs.push(line) });
  server = await startServer(settings, log, {
    async openDoors(...args) {
      const doors = await openDoors(...args);
      return {
        ...doors,
        authenticate: (shown) =>
          shown.bearer?.reveal() === SLOW ? new Promise(() => undefined) : doors.authenticate(shown),
      };
    },
  });
  relayAddress = String(linesOf(logs).find(({ msg }) => msg === 'relay listening')?.['address']);
  client = connectTo(server.address);
});
afterAll(async () => {
  client.close();
  await server.stop();
  await folder.remove();
  await spans.stop();
});
beforeEach(async () => {
  // The connection of who is known was there before.
  await client.configs.listConfigs({});
});

/** While it goes on, callers are served: on a connection that they have, and on new ones. */
async function whileServed(flood: Flood, settled: () => void): Promise<void> {
  onTestFinished(() => flood.stop());
  let served = 0;
  await eventually(async () => {
    await client.configs.listConfigs({});
    const other = connectTo(server.address);
    await other.configs.listConfigs({}).finally(() => other.close());
    served += 1;
    settled();
    expect(served).toBeGreaterThan(5);
  });
}

const bodies: [string, Partial<BodyFlood> & { path: string }][] = [
  ['a unary call without credentials', { path: LIST }],
  ['a stream of answers without credentials', { path: BATCH }],
  ['a stream of requests without credentials', { path: REFLECT }],
  ['a wrong API key', { path: LIST, headers: { authorization: `Bearer ${ADMIN_KEY.reveal().slice(0, -4)}AAAA` } }],
  ['an authorization that is no bearer token', { path: LIST, headers: { authorization: 'Basic YTpi' } }],
  ['health checking', { path: HEALTH }],
  ['watching health', { path: WATCH }],
  ['a method that there is not', { path: '/leasehold.v1.LeaseService/Nothing' }],
  ['another content type', { path: LIST, headers: { 'content-type': 'application/json' } }],
];

test.each(bodies)('%s: the request is refused before it is read, and its sender is stopped', async (_name, request) => {
  const [connections, streams] = [20, 16];
  const flood = floodWithBodies(server.address, { connections, streams, bytes: 250 * KIB, ...request });
  await whileServed(flood, () => expect(flood.pending()).toBe(0));
  expect(flood.sent()).toBeLessThan(connections * streams * UNREAD_BYTES);
});

test('requests whose callers are not known yet are not read, and no more than 128 of a network wait', async () => {
  const [connections, streams] = [24, EARLY_STREAMS];
  const headers = { authorization: `Bearer ${SLOW}` };
  const flood = floodWithBodies(server.address, { connections, streams, bytes: 250 * KIB, path: LIST, headers });
  // Those that come within the time of grace give way when others come after it.
  const late = await eventually(async () => {
    const other = floodWithBodies(server.address, { connections: 1, streams, bytes: KIB, path: LIST, headers });
    onTestFinished(() => other.stop());
    expect(flood.pending() + other.pending()).toBeLessThanOrEqual(128 + streams);
    return other;
  });
  await whileServed(flood, () => expect(late.pending()).toBe(streams));
  expect(flood.sent()).toBeLessThan(connections * streams * (UNREAD_BYTES + 5 * KIB));
});

test.each<[string, { bytes?: number; path?: string; acknowledges?: boolean }, number]>([
  ['small headers', {}, EARLY_STREAMS],
  ['small headers, from a client that heeds no settings', { acknowledges: false }, EARLY_STREAMS],
  ['60 KiB of headers that are 160 bytes on the wire', { bytes: 60 * KIB }, 0],
  ['the same, from a client that heeds no settings', { bytes: 60 * KIB, acknowledges: false }, 0],
  ['headers just above 32 KiB', { bytes: 32 * KIB }, 0],
  ['watching health', { path: WATCH }, EARLY_STREAMS],
])(
  'of 256 requests at once on a connection without an authenticated call, with %s, few are held',
  async (_name, more, held) => {
    const bomb = { connections: 1, streams: 256, path: LIST, bytes: 0, authorization: `Bearer ${SLOW}`, ...more };
    const flood = bombWithHeaders(server.address, bomb);
    await whileServed(flood, () => expect(flood.pending()).toBe(held));
    expect(flood.open()).toBe(1);
  },
);

test.each([ATTACH, ENROL])('of 256 requests at once for %s of the relay, few are held', async (path) => {
  const bomb = { connections: 1, streams: 256, path, bytes: 0, authorization: '' };
  const flood = bombWithHeaders(relayAddress, bomb);
  await whileServed(flood, () => expect(flood.pending()).toBe(EARLY_STREAMS));
});

test('a caller that makes as many calls at once as it may on a new connection has all of them answered', async () => {
  const other = connectTo(server.address);
  onTestFinished(() => other.close());
  const calls = Array.from({ length: MAX_CALLS }, () => other.configs.listConfigs({}));
  expect(await Promise.allSettled(calls)).toEqual(calls.map(() => expect.objectContaining({ status: 'fulfilled' })));
});

test('a connection may have more streams once a call on it was authenticated', async () => {
  const raw = await RawGrpc.connect(server.address);
  onTestFinished(() => raw.close());
  await raw.call(LIST, [Buffer.of()]);
  const watches = Array.from({ length: 2 * EARLY_STREAMS }, () => {
    const watch = raw.begin(WATCH, { authorization: '' });
    watch.end(framed(Buffer.of()));
    return once(watch, 'data');
  });
  await Promise.all(watches);
});

test('a caller has as many requests read as it may have calls, on all of its connections together', async () => {
  const headers = { authorization: `Bearer ${ADMIN_KEY.reveal()}` };
  const flood = floodWithBodies(server.address, { connections: 4, streams: 16, bytes: 250 * KIB, path: LIST, headers });
  onTestFinished(() => flood.stop());
  await eventually(async () => expect(flood.pending()).toBe(MAX_CALLS));
  flood.stop();
  await eventually(() => client.configs.listConfigs({}));
});

test('of the connections of one caller, those that were not used for longest are closed, and no call is lost', async () => {
  const raws: RawGrpc[] = [];
  onTestFinished(() => raws.forEach((raw) => void raw.close()));
  for (let count = 0; count < MAX_CONNECTIONS_OF_A_CALLER + 20; count++) {
    const raw = await RawGrpc.connect(server.address);
    raws.push(raw);
    expect(await raw.call(LIST, [Buffer.of()])).toMatchObject({ status: Status.OK });
  }
  await eventually(async () =>
    expect(raws.filter(({ session }) => !session.destroyed).length).toBeLessThanOrEqual(MAX_CONNECTIONS_OF_A_CALLER),
  );
  expect(await raws.at(-1)?.call(LIST, [Buffer.of()])).toMatchObject({ status: Status.OK });
  await client.configs.listConfigs({});
});

test.each(['server', 'relay'].flatMap((listener) => OPENINGS.map((opening) => [listener, opening] as const)))(
  'of connections to the %s that send %s, half the maximum stay of a network',
  async (listener, opening) => {
    const to = listener === 'server' ? server.address : relayAddress;
    const flood = floodWithConnections(to, 4 * MAX_CONNECTIONS, opening);
    await whileServed(flood, () => expect(flood.open()).toBeLessThanOrEqual(MAX_CONNECTIONS / 2));
    expect(flood.open()).toBeGreaterThan(0);
    expect(linesOf(logs)).toContainEqual(
      expect.objectContaining({ level: 40, listener, msg: expect.stringContaining('too many connections') }),
    );
  },
);

test.each([ATTACH, ENROL])('the relay reads no more of %s than a proof needs', async (path) => {
  const flood = floodWithBodies(relayAddress, { connections: 20, streams: 16, bytes: 250 * KIB, path });
  await whileServed(flood, () => expect(flood.pending()).toBe(0));
  expect(flood.sent()).toBeLessThan(20 * 16 * UNREAD_BYTES);
});

test.each<[string, string, () => Promise<unknown>]>([
  ['server', 'call refused', () => client.configs.getConfig({ name: 'nothing' })],
  ['relay', 'refused at the relay', async () => atRelay(await RawGrpc.connect(relayAddress, { ca: relayCa }))],
])('calls that the %s refuses have a few lines of the log, however many they are', async (_listener, msg, call) => {
  const before = linesOf(logs).filter((line) => line['msg'] === msg).length;
  await Promise.allSettled(Array.from({ length: 50 }, call));
  const written = linesOf(logs).filter((line) => line['msg'] === msg).length - before;
  // In two windows, where it falls between them.
  expect(written).toBeGreaterThan(0);
  expect(written).toBeLessThanOrEqual(10);
});

async function atRelay(raw: RawGrpc): Promise<void> {
  onTestFinished(() => raw.close());
  expect(await raw.call(ENROL, [Buffer.of()], { authorization: '' })).toMatchObject({ status: Status.UNAUTHENTICATED });
}

test('health can be asked without credentials, and watched', async () => {
  const raw = await RawGrpc.connect(server.address);
  onTestFinished(() => raw.close());
  const nobody = { authorization: '' };
  expect(await raw.call(HEALTH, [Buffer.of()], nobody)).toMatchObject({ status: Status.OK });
  const watch = raw.begin(WATCH, nobody);
  watch.end(framed(Buffer.of()));
  const [message] = await once(watch, 'data');
  // HealthCheckResponse { status: SERVING }
  expect(message).toEqual(framed(Buffer.of(0x08, 0x01)));
});

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const CONTEXT = { traceparent: `00-${TRACE}-b7ad6b7169203331-01`, baggage: 'user=somebody' };

test.each([
  ['nobody', LIST, { authorization: '' }, Status.UNAUTHENTICATED, false],
  ['a wrong key', LIST, { authorization: 'Bearer nothing' }, Status.UNAUTHENTICATED, false],
  ['nobody, of health', HEALTH, { authorization: '' }, Status.OK, false],
  ['a caller', LIST, {}, Status.OK, true],
])('the trace context of %s counts only with good credentials', async (_name, path, headers, status, counts) => {
  const before = [spans.finished().length, logs.length] as const;
  const raw = await RawGrpc.connect(server.address);
  onTestFinished(() => raw.close());
  expect(await raw.call(path, [Buffer.of()], { ...headers, ...CONTEXT })).toMatchObject({ status });
  const made = spans.finished().slice(before[0]);
  expect(made.map(({ name }) => name)).toContain(path.slice(1));
  expect(made.some((span) => span.spanContext().traceId === TRACE)).toBe(counts);
  expect(logs.slice(before[1]).join()).not.toContain(TRACE);
});

test('refusals of strangers that the audit log sums up have no spans', async () => {
  const before = spans.finished().length;
  const raw = await RawGrpc.connect(server.address);
  onTestFinished(() => raw.close());
  for (let call = 0; call < 50; call++) {
    await raw.call(LIST, [Buffer.of()], { authorization: 'Basic YTpi' });
  }
  const made = spans.finished().slice(before);
  expect(made.filter(({ name }) => name === LIST.slice(1)).length).toBeLessThanOrEqual(10);
});
