import { randomUUID } from 'node:crypto';
import { constants } from 'node:http2';
import { Writable } from 'node:stream';
import { Status } from 'nice-grpc';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { z } from 'zod';
import { BatchRevokeLeasesRequest } from '../../src/gen/leasehold/v1/lease_service.ts';
import { type RunningServer, startServer } from '../../src/server/start-server.ts';
import type { Ports } from '../../src/shared/ports/ports.ts';
import { readSettings } from '../../src/shared/settings.ts';
import { createLogger } from '../../src/shared/telemetry/logger.ts';
import { cert } from '../support/answering-server.ts';
import { eventually } from '../support/eventually.ts';
import { connectTo, type LeaseholdClient, leaseholdEnvironment } from '../support/leasehold.ts';
import { framed, outcomeOf, RawGrpc } from '../support/raw-grpc.ts';
import { rejectionOf } from '../support/rejection.ts';
import { directAccess, seconds } from '../support/set-ups.ts';
import { type SilentServer, startSilentServer } from '../support/silent-server.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';

// What a caller may hold of a server, and for how long.

const BATCH = '/leasehold.v1.LeaseService/BatchRevokeLeases';
const LIST = '/leasehold.v1.ConfigService/ListConfigs';
const REFLECT = '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo';

let silent: SilentServer;
const running: { server: RunningServer; client: LeaseholdClient }[] = [];
beforeAll(async () => {
  silent = await startSilentServer();
});
afterAll(async () => {
  for (const { server, client } of running) {
    client.close();
    await server.stop();
  }
  silent.stop();
});

/** A server without a worker: a batch on it does not end. */
async function serve(overrides: Record<string, string>) {
  const patient = { LEASEHOLD_CLUSTER_CONNECT_TIMEOUT: '60', ...overrides };
  const settings = readSettings(leaseholdEnvironment(inject('redisUrl'), patient));
  const reads: string[] = [];
  let ports: Ports | undefined;
  const around = (real: Ports): Ports => {
    ports = real;
    const reports: Ports['batches']['reports'] = (id, after) => {
      reads.push(id);
      return real.batches.reports(id, after);
    };
    return { ...real, batches: bind(real.batches, { reports }) };
  };
  const logs: string[] = [];
  const destination = new Writable({
    write(chunk, _encoding, done) {
      logs.push(String(chunk));
      done();
    },
  });
  const server = await startServer(settings, createLogger('server', 'info', destination), { around });
  const client = connectTo(server.address);
  running.push({ server, client });
  return { address: server.address, client, ports: ports as unknown as Ports, reads, logs };
}

const AuditLine = z.object({
  principal: z.object({ id: z.string() }),
  audit: z.record(z.string(), z.unknown()),
});

/** Audit events of callers that are known. */
function auditsOf(logs: readonly string[]) {
  return logs.flatMap((line) => {
    const { data } = AuditLine.safeParse(JSON.parse(line));
    return data ? [{ id: data.principal.id, audit: data.audit }] : [];
  });
}

/** An object with some of its methods replaced. */
function bind<T extends object>(target: T, replaced: Partial<T>): T {
  return new Proxy(target, {
    get(_, name) {
      const own = replaced[name as keyof T] ?? target[name as keyof T];
      return typeof own === 'function' ? own.bind(target) : own;
    },
  });
}

/** A call that hangs until the cluster hangs up, or the deadline for a connection passes. */
function tryOnSilentCluster({ configs }: LeaseholdClient) {
  return configs.checkConfig({
    target: {
      $case: 'config',
      value: {
        name: 'silent',
        defaultTtl: seconds(900),
        maxTtl: seconds(900),
        access: directAccess({ url: silent.url, caPem: cert }, 'token'),
        credential: { $case: 'static', value: { namespace: 'one', serviceAccount: 'reader' } },
      },
    },
  });
}

test('a caller with as many calls under way as it may is told to wait, and is let in when one has ended', async () => {
  const { client, logs } = await serve({ LEASEHOLD_MAX_CALLS_PER_PRINCIPAL: '3' });
  const hanging = Array.from({ length: 3 }, () => rejectionOf(tryOnSilentCluster(client)));
  await eventually(async () => {
    expect(await rejectionOf(client.configs.listConfigs({}))).toMatchObject({
      code: Status.RESOURCE_EXHAUSTED,
      reason: 'TOO_MANY_CALLS',
      quotas: ['principal:apikey:tests'],
      retry: true,
    });
  });
  expect(auditsOf(logs)).toContainEqual({
    id: 'tests',
    audit: expect.objectContaining({ action: 'ListConfigs', code: 'RESOURCE_EXHAUSTED' }),
  });
  silent.hangUp();
  await Promise.all(hanging);
  expect(await client.configs.listConfigs({})).toMatchObject({ configs: [] });
});

test('a stream counts for as long as it lasts', async () => {
  const { client, logs } = await serve({ LEASEHOLD_MAX_CALLS_PER_PRINCIPAL: '2' });
  const leave = new AbortController();
  const following = Array.from({ length: 2 }, () =>
    Array.fromAsync(
      client.leases.batchRevokeLeases({ target: { $case: 'all', value: true } }, { signal: leave.signal }),
    ).catch(() => undefined),
  );
  await eventually(async () => {
    expect(await rejectionOf(client.configs.listConfigs({}))).toMatchObject({ reason: 'TOO_MANY_CALLS' });
  });
  leave.abort();
  await Promise.all(following);
  await eventually(() => client.configs.listConfigs({}));
  const left = {
    id: 'tests',
    audit: expect.objectContaining({ action: 'BatchRevokeLeases', target: 'all', code: 'CANCELLED' }),
  };
  expect(auditsOf(logs).filter(({ audit }) => audit['action'] === 'BatchRevokeLeases')).toEqual([left, left]);
});

test('a call without a deadline has one, and counts until its work has ended', async () => {
  const { client } = await serve({ LEASEHOLD_CALL_TIMEOUT: '0.3', LEASEHOLD_MAX_CALLS_PER_PRINCIPAL: '1' });
  // The cluster has not hung up.
  expect(await rejectionOf(tryOnSilentCluster(client))).toMatchObject({
    code: Status.DEADLINE_EXCEEDED,
    message: expect.stringContaining('0.3 s'),
  });
  expect(await rejectionOf(client.configs.listConfigs({}))).toMatchObject({ reason: 'TOO_MANY_CALLS' });
  silent.hangUp();
  await eventually(() => client.configs.listConfigs({}));
});

test('a stream whose messages are not taken is ended, nothing is piled up for it, and nobody follows its batch any more', async () => {
  const { address, ports, reads } = await serve({ LEASEHOLD_SLOW_CALLER_TIMEOUT: '2' });
  const requestId = randomUUID();
  const raw = await RawGrpc.connect(address, { settings: { initialWindowSize: 0 } });
  const stream = raw.begin(BATCH);
  const outcome = outcomeOf(stream);
  stream.end(
    framed(
      BatchRevokeLeasesRequest.encode({ target: { $case: 'all', value: true }, requestId, force: false }).finish(),
    ),
  );
  await eventually(async () => expect(reads.length).toBeGreaterThan(0));
  // More than fits into what a stream may have waiting: one page of them is one message.
  const report = { leaseId: randomUUID(), state: 'REVOKED' as const, error: 'x'.repeat(200) };
  const batch = (await ports.batches.get(requestId)) ?? expect.fail('the batch is not stored');
  await Promise.all(Array.from({ length: 10_000 }, () => ports.batches.report(batch, report)));
  const readsBefore = reads.length;

  expect(await outcome).toEqual({ status: undefined, message: '', resetCode: constants.NGHTTP2_ENHANCE_YOUR_CALM });
  // 20 pages were there to be read.
  expect(reads.length - readsBefore).toBeLessThan(18);
  const readsAfter = reads.length;
  await eventually(async () => expect(await countStands(() => reads.length)).toBe(true));
  expect(reads.length - readsAfter).toBeLessThan(2);
  raw.close();
});

test('the answer of a call that is not taken is given up, too', async () => {
  const { address } = await serve({ LEASEHOLD_SLOW_CALLER_TIMEOUT: '0.5' });
  const raw = await RawGrpc.connect(address, { settings: { initialWindowSize: 0 } });
  expect(await raw.call(LIST, [Buffer.of()])).toMatchObject({ resetCode: constants.NGHTTP2_ENHANCE_YOUR_CALM });
  raw.close();
});

test('a request that does not come to its end is given up', async () => {
  const { address } = await serve({ LEASEHOLD_SLOW_CALLER_TIMEOUT: '0.5' });
  const raw = await RawGrpc.connect(address);
  const stream = raw.begin(LIST);
  stream.write(framed(Buffer.alloc(10)).subarray(0, 7));
  expect(await outcomeOf(stream)).toMatchObject({ resetCode: constants.NGHTTP2_ENHANCE_YOUR_CALM });
  raw.close();
});

test('what is no message of its type is the fault of its caller', async () => {
  const { address } = await serve({});
  const raw = await RawGrpc.connect(address);
  const groupWithoutEnd = Buffer.of(0x0b);
  const textOfFourGigabytes = Buffer.from('0affffffff0f', 'hex');
  for (const path of [LIST, BATCH, '/grpc.health.v1.Health/Check', REFLECT]) {
    for (const message of [groupWithoutEnd, textOfFourGigabytes]) {
      expect(await raw.call(path, [message]), path).toMatchObject({ status: Status.INVALID_ARGUMENT });
    }
  }
  const inAMessage = Buffer.from('2a060affffffff0f', 'hex');
  expect(await raw.call(REFLECT, [inAMessage])).toMatchObject({ status: Status.INVALID_ARGUMENT });
  raw.close();
});

test('a connection that has come to its age is left without losing a call', async () => {
  const { address } = await serve({ LEASEHOLD_MAX_CONNECTION_AGE: '0.5' });
  const proxy = await startTcpProxy({ hostname: '127.0.0.1', port: Number(address.split(':').at(-1)) });
  const client = connectTo(`127.0.0.1:${proxy.port}`);
  const callSteadily = async () => {
    for (let calls = 0; calls < 10 || proxy.connections < 4; calls++) {
      await client.configs.listConfigs({});
    }
  };
  await Promise.all(Array.from({ length: 8 }, callSteadily));
  client.close();
  proxy.stop();
});

/** Whether it is the same at the next look as now. */
async function countStands(count: () => number): Promise<boolean> {
  const before = count();
  return new Promise((resolve) => setTimeout(() => resolve(count() === before), 300));
}
