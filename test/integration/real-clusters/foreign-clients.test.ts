import { randomUUID } from 'node:crypto';
import { Writable } from 'node:stream';
import pLimit from 'p-limit';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { type RunningServer, startServer } from '../../../src/server/start-server.ts';
import type { Config } from '../../../src/shared/domain/config.ts';
import type { SeenLink } from '../../../src/shared/domain/gateway.ts';
import type { Lease } from '../../../src/shared/domain/lease.ts';
import type { Ports } from '../../../src/shared/ports/ports.ts';
import { readSettings } from '../../../src/shared/settings.ts';
import { createLogger } from '../../../src/shared/telemetry/logger.ts';
import { sampleConfig, sampleLease } from '../../contract/samples.ts';
import { type AnsweringServer, cert, startAnsweringServer } from '../../support/answering-server.ts';
import { bundle } from '../../support/certificates.ts';
import { callByPython, type ForeignCall, preparePython } from '../../support/foreign-client.ts';
import {
  connectTo,
  type Leasehold,
  type LeaseholdClient,
  leaseholdEnvironment,
  startLeasehold,
} from '../../support/leasehold.ts';
import { SERVER_CA } from '../../support/security.ts';

// What clients with their default options take: answers of 4 MiB, headers of 8 KiB, and whatever deadline they set. The
// store is as full as callers may make it.

const CONFIGS = 80;
const CA_BYTES = 60 * 1024;
const LEASES = 1_000;
const GATEWAYS = 40;
const AGENTS = 3_000;
const CROWDED = 'crowded';

const MANY_WORDS = 'no '.repeat(20_000);

/** As many and as long as a config may have. */
const NAMESPACES = Array.from({ length: 64 }, (_, index) =>
  `team-${'n'.repeat(56)}-${index}`.slice(-63).replace(/^-/, 'x'),
);
const AUDIENCES = Array.from({ length: 16 }, (_, index) => `https://${'a'.repeat(240)}-${index}`);

/** Debian's packages may have to be downloaded. */
const INSTALLING_MS = 600_000;

let server: RunningServer;
let client: LeaseholdClient;
let cluster: AnsweringServer;
const configNames: string[] = [];
const leaseIds: string[] = [];
const gatewayNames: string[] = [];

beforeAll(async () => {
  await preparePython();
  let real: Ports | undefined;
  const settings = readSettings(leaseholdEnvironment(inject('redisUrl'), { LEASEHOLD_ISSUE_RATE: '1000000' }));
  server = await startServer(settings, createLogger('server', 'silent', new Writable()), {
    around(ports) {
      real = ports;
      // No machine of ours has so many agents.
      return { ...ports, gatewayLinks: linksOf(ports.gatewayLinks) };
    },
  });
  client = connectTo(server.address);
  // An API server that says why at great length.
  cluster = await startAnsweringServer((request, response) => {
    if (request.url?.endsWith('/selfsubjectaccessreviews')) {
      const status = { allowed: false, reason: MANY_WORDS };
      response.writeHead(201).end(JSON.stringify({ kind: 'SelfSubjectAccessReview', status }));
    } else {
      const refusal = { kind: 'Status', status: 'Failure', reason: 'Forbidden', code: 403, message: MANY_WORDS };
      response.writeHead(403).end(JSON.stringify(refusal));
    }
  });
  await fill(real as unknown as Ports);
}, INSTALLING_MS);
afterAll(async () => {
  client.close();
  await server.stop();
  cluster.stop();
});

function linksOf(real: Ports['gatewayLinks']): Ports['gatewayLinks'] {
  const connectTime = Date.now();
  const link = (gateway: SeenLink['gateway']): SeenLink => ({
    ...{ id: randomUUID(), gateway, identityId: randomUUID(), instanceId: randomUUID() },
    ...{ version: 'v'.repeat(64), connectTime, lastSeenTime: connectTime, server: 'relay.leasehold.test:50052' },
  });
  return {
    announce: (one) => real.announce(one),
    withdraw: (one) => real.withdraw(one),
    lastSeen: (gateway) => real.lastSeen(gateway),
    async of(gateway) {
      const one = link(gateway);
      return Array.from({ length: AGENTS }, (_, index) => ({ ...one, connectTime: connectTime + index }));
    },
  };
}

/** Through the store: by calls, each of them would be tried on a cluster. */
async function fill({ configs, leases, gateways }: Ports): Promise<void> {
  const store = async (config: Config) => {
    await configs.keepAccess(config.access);
    await configs.create(config);
    configNames.push(config.name);
    return config;
  };
  const caPem = bundle(...Array<string>(Math.ceil(CA_BYTES / SERVER_CA.length)).fill(SERVER_CA));
  for (let index = 0; index < CONFIGS; index++) {
    const plain = sampleConfig(`large-${String(index).padStart(3, '0')}`);
    await store({ ...plain, access: { ...plain.access, tls: { ...plain.access.tls, caPem } } });
  }
  const crowded = sampleConfig(CROWDED);
  const one = await store({
    ...crowded,
    access: { ...crowded.access, url: cluster.url, tls: { ...crowded.access.tls, caPem: cert } },
    credential: {
      kind: 'dynamic',
      allowedNamespaces: NAMESPACES,
      role: { kind: 'ClusterRole', name: 'r'.repeat(253) },
      bindingScope: 'namespace',
    },
  });
  configNames.sort();
  const planned: Lease[] = Array.from({ length: LEASES }, () =>
    sampleLease({ ...one, credential: sampleConfig('any').credential }, { audiences: AUDIENCES }),
  );
  const limit = pLimit(50);
  await Promise.all(planned.map((lease) => limit(() => leases.record(lease))));
  leaseIds.push(
    ...planned
      .map(({ id }) => id)
      .sort()
      .reverse(),
  );
  for (let index = 0; index < GATEWAYS; index++) {
    const name = `gateway-${String(index).padStart(3, '0')}`;
    await gateways.create({ name, uid: randomUUID(), createTime: Date.now() });
    gatewayNames.push(name);
  }
}

/** A list, and all that is in it. */
const LISTS = [
  ['80 configs with a CA of 60 KB', 'ConfigService/ListConfigs', { field: 'configs', key: 'name' }, configNames],
  ['1,000 leases with long audiences', 'LeaseService/ListLeases', { field: 'leases', key: 'id' }, leaseIds],
  ['40 gateways with 3,000 agents', 'GatewayService/ListGateways', { field: 'gateways', key: 'name' }, gatewayNames],
] as const;

test.each(LISTS)("Python's client reads %s page by page, each once", async (_, method, listed, all) => {
  const request = { pageSize: 1_000 };
  const [outcome] = await callByPython(server.address, [{ method: `leasehold.v1.${method}`, request, listed }]);
  expect(outcome?.error).toBeUndefined();
  const pages = outcome?.messages.map((message) => message[listed.field] as string[]) ?? [];
  expect(pages.flat()).toEqual(all);
  expect(pages.length).toBeGreaterThan(1);
});

test("so does Node's", async () => {
  const pages: string[][] = [];
  let pageToken = '';
  do {
    const page = await client.configs.listConfigs({ pageSize: 1_000, pageToken });
    pages.push(page.configs.map(({ name }) => name));
    pageToken = page.nextPageToken;
  } while (pageToken !== '');
  expect(pages.flat()).toEqual(configNames);
});

test.each<[string, ForeignCall, object]>([
  [
    'a gateway with 3,000 agents',
    { method: 'leasehold.v1.GatewayService/GetGateway', request: { name: 'gateway-000' } },
    { name: 'gateway-000', agentCount: AGENTS },
  ],
  [
    'the check of a config with 64 namespaces, by an API server of many words',
    { method: 'leasehold.v1.ConfigService/CheckConfig', request: { name: CROWDED } },
    { missingRbacManifest: expect.stringContaining(NAMESPACES.at(-1) ?? '') },
  ],
])("Python's client takes %s", async (_, call, message) => {
  const [outcome] = await callByPython(server.address, [call]);
  expect(outcome?.error).toBeUndefined();
  expect(outcome?.messages).toMatchObject([message]);
});

const INVALID = { code: 'INVALID_ARGUMENT', detail: 'type.googleapis.com/google.rpc.BadRequest' };

test.each<[string, ForeignCall, { code: string; detail: string }]>([
  [
    'a lease on one of 64 namespaces, none of them named',
    { method: 'leasehold.v1.LeaseService/IssueLease', request: { config: CROWDED } },
    INVALID,
  ],
  [
    'a lease on a namespace that is none of 64',
    { method: 'leasehold.v1.LeaseService/IssueLease', request: { config: CROWDED, namespace: 'other' } },
    INVALID,
  ],
  [
    'a config of which everything is wrong',
    {
      method: 'leasehold.v1.ConfigService/CreateConfig',
      request: {
        config: {
          name: 'x'.repeat(20_000),
          audiences: Array.from({ length: 64 }, () => 'a'.repeat(1_000)),
          labels: Object.fromEntries(NAMESPACES.map((name) => [`${name}/${name}`.repeat(10), 'no label'])),
        },
      },
    },
    INVALID,
  ],
  [
    'a config that is not there',
    { method: 'leasehold.v1.ConfigService/GetConfig', request: { name: 'nothing' } },
    { code: 'NOT_FOUND', detail: 'type.googleapis.com/google.rpc.ErrorInfo' },
  ],
])("Python's client is told with details why it gets no answer: %s", async (_, call, { code, detail }) => {
  const [outcome] = await callByPython(server.address, [call]);
  expect(outcome?.error).toMatchObject({ code });
  expect(outcome?.error?.statusMessage).not.toBe('');
  expect(outcome?.error?.details.map((one) => one['@type'])).toContain(detail);
});

const DAY = 86_400;

const DEADLINES: [string, number | undefined][] = [
  ['1 day', DAY],
  ['24.8 days', 24.8 * DAY],
  ['25 days', 25 * DAY],
  ['49 days', 49 * DAY],
  ['49.71 days', 4_294_967.9],
  ['50 days', 50 * DAY],
  ['100 years', 36_525 * DAY],
  ['none', undefined],
];

const deadline = (timeoutSeconds: number | undefined) => (timeoutSeconds === undefined ? {} : { timeoutSeconds });

test.each(DEADLINES)("a call of Python's client whose deadline is %s is answered", async (_, seconds) => {
  // Of 20 large configs: it takes longer than the millisecond of a timer that has overflowed.
  const call = { method: 'leasehold.v1.ConfigService/ListConfigs', request: { pageSize: 20 }, ...deadline(seconds) };
  const [outcome] = await callByPython(server.address, [call]);
  expect(outcome?.error).toBeUndefined();
  expect(outcome?.messages).toHaveLength(1);
});

test("a stream of Python's client ends with its work, however far off its deadline is", async () => {
  const leasehold: Leasehold = await startLeasehold(inject('redisUrl'));
  try {
    // A batch looks for leases for two seconds at least.
    const batch = { method: 'leasehold.v1.LeaseService/BatchRevokeLeases', request: { all: true }, stream: true };
    const outcomes = await Promise.all(
      [DAY, 25 * DAY, 49 * DAY, 36_525 * DAY].map((seconds) =>
        callByPython(leasehold.address, [{ ...batch, ...deadline(seconds) }]),
      ),
    );
    for (const { error, messages } of outcomes.flat()) {
      expect(error).toBeUndefined();
      expect(messages.at(-1)).toMatchObject({ done: true });
    }
  } finally {
    await leasehold.stop();
  }
});
