import { execFile } from 'node:child_process';
import { createServer, type Server } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePort } from '../../servers/free-port.ts';
import type { NativeRedis } from '../../servers/native-redis.ts';
import { startRestartableRedis } from '../../servers/redis-server.ts';
import { cert, key } from '../../support/answering-server.ts';
import { leaseholdEnvironment } from '../../support/leasehold.ts';
import { spawnLeasehold } from '../../support/leasehold-process.ts';

// A Redis that cannot be used when a process starts: the error names the setting, says what is wrong and what to do.

const PASSWORD = 'a-password-that-stays-secret';

let redis: NativeRedis;
let closed: number;
let http: Server;
let tls: Server;
beforeAll(async () => {
  redis = await startRestartableRedis();
  await promisify(execFile)('redis-cli', ['-p', redisPort(), 'CONFIG', 'SET', 'requirepass', PASSWORD]);
  closed = await freePort();
  http = createServer((socket) => void socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')).listen(0, '127.0.0.1');
  // What speaks TLS ends a connection that does not.
  tls = createTlsServer({ cert, key }).listen(0, '127.0.0.1');
});
afterAll(async () => {
  http?.close();
  tls?.close();
  await redis?.stop();
});

const portOf = (server: Server) => (server.address() as { port: number }).port;
const at = (port: number | string, login = '') => `redis://${login}127.0.0.1:${port}`;
const redisPort = () => new URL(redis.url).port;

test.concurrent.each<[what: string, role: 'server' | 'worker', url: () => string, says: RegExp]>([
  ['nothing listens', 'server', () => at(closed), /connection was refused/],
  ['nothing listens', 'worker', () => at(closed), /connection was refused/],
  ['its name is unknown', 'worker', () => 'redis://no-such-host.invalid', /host name cannot be resolved/],
  ['the password is wrong', 'server', () => at(redisPort(), `default:${PASSWORD}x@`), /refused user name and password/],
  ['the user is unknown', 'worker', () => at(redisPort(), `nobody:${PASSWORD}@`), /refused user name and password/],
  ['the password is missing', 'worker', () => at(redisPort()), /wants a password/],
  [
    'it does not speak TLS',
    'server',
    () => at(redisPort(), `:${PASSWORD}@`).replace('redis:', 'rediss:'),
    /does not speak TLS/,
  ],
  ['it speaks TLS only', 'worker', () => at(portOf(tls)), /closes the connection.*rediss:/],
  [
    'its certificate is not trusted',
    'worker',
    () => at(portOf(tls)).replace('redis:', 'rediss:'),
    /certificate is not trusted/,
  ],
  ['it is something else', 'worker', () => at(portOf(http)), /is not Redis/],
  ['it has no such database', 'worker', () => `${at(redisPort(), `:${PASSWORD}@`)}/99`, /no database of that number/],
  ['no Sentinel answers', 'worker', () => `redis+sentinel://127.0.0.1:${closed}/primary`, /no Sentinel answers/],
  [
    'the Sentinel wants a password',
    'worker',
    () => `redis+sentinel://127.0.0.1:${redisPort()}/primary`,
    /sentinel_password/,
  ],
  [
    'no node of the Cluster answers',
    'worker',
    () => `redis+cluster://127.0.0.1:${closed}`,
    /no node of a Redis Cluster/,
  ],
])('%s: the %s ends, and says so', { timeout: 120_000 }, async (_, role, url, says) => {
  const process = spawnLeasehold(role, leaseholdEnvironment(url()));
  expect(await process.exited).toBe(1);
  const message = (process.logs.at(-1)?.['err'] as { message?: string } | undefined)?.message;
  expect(message).toMatch(/^LEASEHOLD_REDIS_URL: Redis at /);
  expect(message).toMatch(says);
  expect(JSON.stringify(process.logs)).not.toContain(PASSWORD);
});
