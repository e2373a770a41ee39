import { setTimeout as delay } from 'node:timers/promises';
import { bombWithHeaders } from '../test/support/header-bomb.ts';
import { connectTo } from '../test/support/leasehold.ts';
import { spawnLeasehold } from '../test/support/leasehold-process.ts';
import { type Flood, floodWithBodies, floodWithConnections, OPENINGS, residentMb } from '../test/support/strangers.ts';
import type { Stage } from './stage.ts';

// What clients without credentials cost a server: its resident memory beside that of before, and whether a caller who is
// known is served meanwhile.

const LOOKS = 10;
const LOOK_EVERY_MS = 250;

const CONNECTIONS = 200;
const HANDSHAKES = 2_000;

const bodies = (path: string) => (address: string) =>
  floodWithBodies(address, { connections: CONNECTIONS, streams: 16, bytes: 255 * 1024, path });

/** Headers that are about 160 bytes on the wire. */
const headers =
  (bytes: number, { reads = true, acknowledges = true } = {}) =>
  (address: string) =>
    bombWithHeaders(address, {
      connections: CONNECTIONS,
      streams: 256,
      path: '/leasehold.v1.LeaseService/ListLeases',
      authorization: 'Bearer nothing',
      bytes,
      reads,
      acknowledges,
    });

const FLOODS: Record<string, (address: string) => Flood> = {
  [`${CONNECTIONS} connections, 16 requests of 255 KiB each`]: bodies('/leasehold.v1.LeaseService/ListLeases'),
  'the same to health checking': bodies('/grpc.health.v1.Health/Check'),
  '256 requests with 28 KiB of headers each, fewer than a call may have': headers(28 * 1024),
  '256 requests with 60 KiB of headers each': headers(60 * 1024),
  'the same, without heeding the settings': headers(60 * 1024, { acknowledges: false }),
  'the same, without reading': headers(60 * 1024, { reads: false, acknowledges: false }),
  ...Object.fromEntries(
    OPENINGS.map((opening) => [
      `${HANDSHAKES} connections that send ${opening}`,
      (address: string) => floodWithConnections(address, HANDSHAKES, opening),
    ]),
  ),
};

/** Each on a server of its own, which has served calls before. */
export async function benchUnauthenticated(
  { environment }: Pick<Stage, 'environment'>,
  progress: (line: string) => void,
) {
  const rows = [];
  for (const [name, flood] of Object.entries(FLOODS)) {
    progress(`unauthenticated: ${name}`);
    rows.push({ flood: name, ...(await measure(environment, flood)) });
  }
  console.table(rows);
  return rows;
}

async function measure(environment: Record<string, string>, flood: (address: string) => Flood) {
  const server = spawnLeasehold('server', environment);
  const { address = '' } = await server.logged('serving');
  server.ignoreLogs();
  const call = async () => {
    const client = connectTo(address);
    await client.leases.listLeases({}).finally(() => client.close());
  };
  for (let i = 0; i < 50; i++) {
    await call();
  }
  const idle = residentMb(server.pid);
  const strangers = flood(address);
  let peak = idle;
  let served = 0;
  for (let look = 0; look < LOOKS; look++) {
    const isServed = call().then(
      () => 1,
      () => 0,
    );
    await delay(LOOK_EVERY_MS);
    peak = Math.max(peak, residentMb(server.pid));
    served += await isServed;
  }
  const row = {
    'idle, MB': idle,
    'peak, MB': peak,
    'sent, MB': Math.round(strangers.sent() / 1024 / 1024),
    'still connected': strangers.open(),
    'callers served': `${served} of ${LOOKS}`,
  };
  strangers.stop();
  await server.stop();
  return row;
}
