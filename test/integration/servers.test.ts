import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ControlPlane, startControlPlane } from '../servers/control-plane.ts';
import { httpsStatus } from '../servers/https-status.ts';
import { type RedisServer, startRedisServer } from '../servers/redis-server.ts';

// The very first start on a machine may have to build kube-apiserver.
const FIRST_START_MS = 1_200_000;

const originalTmpdir = process.env['TMPDIR'];
let privateTmpdir: string;
let controlPlane: ControlPlane;
let redisServer: RedisServer;

beforeAll(async () => {
  // Other processes make temp folders too: in a private place, any that is left is ours.
  privateTmpdir = await mkdtemp(join(tmpdir(), 'leasehold-support-test-'));
  process.env['TMPDIR'] = privateTmpdir;
  controlPlane = await startControlPlane();
  redisServer = await startRedisServer();
}, FIRST_START_MS);

afterAll(async () => {
  await controlPlane?.stop();
  await redisServer?.stop();
  if (originalTmpdir === undefined) {
    delete process.env['TMPDIR'];
  } else {
    process.env['TMPDIR'] = originalTmpdir;
  }
  await rm(privateTmpdir, { recursive: true, force: true });
});

test('the admin token may list namespaces', async () => {
  expect(await listNamespaces(controlPlane.caPem, controlPlane.adminToken)).toBe(200);
});

test('a token that the API does not know is refused', async () => {
  expect(await listNamespaces(controlPlane.caPem, 'no-such-token')).toBe(401);
});

test('the serving certificate does not verify with another CA', async () => {
  const [anotherCa = ''] = rootCertificates;
  await expect(listNamespaces(anotherCa, controlPlane.adminToken)).rejects.toThrow(/certificate/i);
});

test('Redis answers, logs every write and evicts nothing', async () => {
  const redis = new Redis(redisServer.url);
  try {
    expect(await redis.ping()).toBe('PONG');
    expect(await redis.config('GET', 'appendonly')).toEqual(['appendonly', 'yes']);
    expect(await redis.config('GET', 'maxmemory-policy')).toEqual(['maxmemory-policy', 'noeviction']);
    expect(await redis.config('GET', 'save')).toEqual(['save', '']);
  } finally {
    redis.disconnect();
  }
});

test('after the stop nothing listens and no temp folder is left', async () => {
  await Promise.all([controlPlane.stop(), redisServer.stop()]);
  await expect(connectTo(controlPlane.url)).rejects.toThrow(/ECONNREFUSED/);
  await expect(connectTo(redisServer.url)).rejects.toThrow(/ECONNREFUSED/);
  expect((await readdir(privateTmpdir)).filter((name) => name.startsWith('leasehold-'))).toEqual([]);
}, 30_000);

function listNamespaces(caPem: string, token: string): Promise<number> {
  return httpsStatus(`${controlPlane.url}/api/v1/namespaces`, caPem, token);
}

async function connectTo(url: string): Promise<void> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  try {
    await once(socket, 'connect');
  } finally {
    socket.destroy();
  }
}
