import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, expect, inject, test } from 'vitest';
import type { Config } from '../../src/shared/domain/config.ts';
import type { Lease } from '../../src/shared/domain/lease.ts';
import { Secret } from '../../src/shared/domain/secret.ts';
import { startBatch } from '../../src/shared/leases/batch.ts';
import { createRuntime, type Runtime } from '../../src/shared/runtime.ts';
import { readSettings, type Settings } from '../../src/shared/settings.ts';
import { createLogger } from '../../src/shared/telemetry/logger.ts';
import { startWorker } from '../../src/worker/start-worker.ts';
import { active, sampleConfig, sampleLease } from '../contract/samples.ts';
import { type AnsweringServer, startAnsweringServer } from '../support/answering-server.ts';
import { eventually } from '../support/eventually.ts';
import { leaseholdEnvironment } from '../support/leasehold.ts';

// One worker, one Redis, and leases of several tenants that are due at the same second. The API server is scripted: it
// answers each delete after the time that an API server takes, or, under the token of a stuck tenant, never.

const DELETE_MS = 20;
const FLOOD = 250;

let settings: Settings;
let runtime: Runtime;
let servers: AnsweringServer[];
let stops: (() => Promise<void>)[];
beforeEach(async () => {
  settings = readSettings(
    leaseholdEnvironment(inject('redisUrl'), {
      LEASEHOLD_WORKER_CONCURRENCY: '32',
      LEASEHOLD_ISSUE_RATE: '10000',
      LEASEHOLD_CLUSTER_CALL_TIMEOUT: '60',
    }),
  );
  runtime = await createRuntime(settings, createLogger('test', 'silent'));
  servers = [];
  stops = [];
  return async () => {
    for (const server of servers) {
      server.stop();
    }
    await Promise.all(stops.map((stop) => stop()));
    await runtime.close();
  };
});

async function startCluster(): Promise<AnsweringServer> {
  const server = await startAnsweringServer(async (request, response) => {
    request.resume();
    if (request.headers.authorization !== 'Bearer stuck') {
      await sleep(DELETE_MS);
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ kind: 'Status', status: 'Success' }));
    }
  });
  servers.push(server);
  return server;
}

async function storedConfig(name: string, { url, caPem }: AnsweringServer, token = name): Promise<Config> {
  const config = sampleConfig(name);
  config.access.token = new Secret(token);
  config.access.url = url;
  config.access.tls.caPem = caPem;
  await runtime.ports.configs.keepAccess(config.access);
  await runtime.ports.configs.create(config);
  return config;
}

async function live(config: Config, principal: string, count: number, expireTime?: number): Promise<string[]> {
  return Promise.all(
    Array.from({ length: count }, async () => {
      const pending = sampleLease(config, { principal });
      await runtime.ports.leases.record(pending);
      await runtime.ports.leases.save(active(pending, expireTime));
      return pending.id;
    }),
  );
}

/** Leases whose end has come, in the order in which their alarms ring. */
async function due(config: Config, principal: string, count: number): Promise<string[]> {
  const now = Date.now();
  const leases = await live(config, principal, count, now);
  await runtime.ports.alarm.set(leases.map((leaseId) => ({ leaseId, at: now })));
  return leases;
}

async function work(): Promise<void> {
  const worker = await startWorker(settings, createLogger('test', 'silent'));
  stops.push(() => worker.stop());
}

async function askForBatch(principal: string, config: string): Promise<string> {
  const { id } = await startBatch(runtime.ports, {
    id: randomUUID(),
    principal,
    target: { kind: 'config', config },
  });
  return id;
}

const leaseOf = async (id: string): Promise<Lease | undefined> => runtime.ports.leases.get(id);

async function untilEnded(ids: readonly string[]): Promise<void> {
  await eventually(
    async () => {
      const leases = await Promise.all(ids.map(leaseOf));
      expect(leases.map((lease) => lease?.state)).toEqual(ids.map(() => 'EXPIRED'));
    },
    { everyMs: ids.length > 50 ? 1000 : 20 },
  );
}

async function howManyEnded(ids: readonly string[]): Promise<number> {
  const leases = await Promise.all(ids.map(leaseOf));
  return leases.filter((lease) => lease?.state === 'EXPIRED').length;
}

const SAME = { config: 'many', principal: 'many', isSameCluster: true };

test.each([
  ['another config of the same cluster', { ...SAME, config: 'victim', principal: 'victim' }],
  ['another principal of the same config', { ...SAME, principal: 'victim' }],
  ['another config of the same principal', { ...SAME, config: 'victim' }],
  ['another cluster', { config: 'victim', principal: 'victim', isSameCluster: false }],
])('leases of one tenant that are due at once do not hold up those of %s', async (_, victim) => {
  const cluster = await startCluster();
  const many = await storedConfig('many', cluster);
  const flood = await due(many, 'many', FLOOD);
  const config =
    victim.config === 'many'
      ? many
      : await storedConfig('victim', victim.isSameCluster ? cluster : await startCluster());
  const own = await due(config, victim.principal, 3);

  await work();
  await untilEnded(own);
  // They ring behind all others: in the order of the alarms, all would have ended before.
  expect(await howManyEnded(flood)).toBeLessThan(FLOOD / 2);
  await untilEnded(flood);
});

test.each([
  ['another config of the same cluster', true, 'one'],
  ['another cluster', false, 'one'],
  ['a cluster besides eight that are stuck', false, 'eight'],
])('leases whose deletes hang do not hold up those of %s', async (_, isSameCluster, clusters) => {
  const stuck: string[] = [];
  const cluster = await startCluster();
  for (const at of clusters === 'one' ? [cluster] : await Promise.all(Array.from({ length: 8 }, startCluster))) {
    const config = await storedConfig(`stuck-${stuck.length}`, at, 'stuck');
    stuck.push(...(await due(config, config.name, 12)));
  }
  const victim = await storedConfig('victim', isSameCluster ? cluster : await startCluster());

  await work();
  await eventually(async () => {
    const leases = await Promise.all(stuck.map(leaseOf));
    expect(leases.filter((lease) => lease?.state === 'REVOKING').length).toBeGreaterThan(0);
  });
  await untilEnded(await due(victim, 'victim', 3));
  // Long before any of those calls is given up.
  const leases = await Promise.all(stuck.map(leaseOf));
  expect(leases.filter((lease) => lease?.lastError !== undefined)).toEqual([]);
});

test('batches of one caller that hang do not hold up the batch of another', async () => {
  const cluster = await startCluster();
  const stuck = await storedConfig('stuck', cluster, 'stuck');
  const leases = await live(stuck, 'stuck', 12);
  const batches = [];
  for (let index = 0; index < 6; index++) {
    batches.push(await askForBatch('stuck', stuck.name));
  }
  const victim = await storedConfig('victim', cluster);
  const own = await live(victim, 'victim', 3);
  const batch = await askForBatch('responder', victim.name);

  await work();
  await eventually(async () => expect((await runtime.ports.batches.get(batch))?.endTime).toBeDefined());
  expect(await Promise.all(own.map(async (id) => (await leaseOf(id))?.state))).toEqual(own.map(() => 'REVOKED'));
  const hanging = await Promise.all(leases.map(leaseOf));
  expect(hanging.filter((lease) => lease?.lastError !== undefined)).toEqual([]);
  const ends = await Promise.all(batches.map(async (id) => (await runtime.ports.batches.get(id))?.endTime));
  expect(ends).toEqual(batches.map(() => undefined));
});
