import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ClusterNotCalled, ClusterRefused, ClusterUnreachable } from '../../src/shared/domain/cluster-error.ts';
import { Secret } from '../../src/shared/domain/secret.ts';
import { KubernetesClusters } from '../../src/shared/kubernetes/kubernetes-clusters.ts';
import { noGateways } from '../fakes/no-gateways.ts';
import { freePort } from '../servers/free-port.ts';
import { type AnsweringServer, startAnsweringServer } from '../support/answering-server.ts';
import { ANY_USE } from '../support/cluster-use.ts';
import { testEgress } from '../support/egress.ts';
import { eventually } from '../support/eventually.ts';
import { keepLog } from '../support/keep-log.ts';
import { PATIENT_LIMITS } from '../support/patience.ts';
import { startSilentServer } from '../support/silent-server.ts';

// How calls fail over real connections, and what a cluster that fails is spared.

const ACCOUNT = { namespace: 'team', name: 'reader' };
const LIMITS = { connections: 4, ...PATIENT_LIMITS };

/** For a cluster that never answers. */
const IMPATIENT = { ...LIMITS, connectTimeoutMs: 300 };

let clusters: KubernetesClusters;
let lines: string[];
let log: ReturnType<typeof keepLog>['log'];
let stops: (() => void)[];
beforeEach(() => {
  const kept = keepLog();
  lines = kept.lines;
  log = kept.log;
  clusters = new KubernetesClusters(LIMITS, noGateways, testEgress, log);
  stops = [];
});
afterEach(async () => {
  await clusters.close();
  for (const stop of stops) {
    stop();
  }
});

async function serverThat(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<AnsweringServer> {
  const server = await startAnsweringServer(answer);
  stops.push(() => server.stop());
  return server;
}

/** Makes a call to the cluster at that URL, under an access of that id. Resolves with the error of one that fails. */
function callTo({ url, caPem }: { url: string; caPem?: string }, id = url): Promise<unknown> {
  const tls = { caPem, insecureSkipVerify: false, serverName: undefined };
  const cluster = clusters.at(
    {
      kind: 'direct',
      renewToken: false,
      gateway: undefined,
      id,
      configUid: `config of ${id}`,
      url,
      tls,
      token: new Secret('token'),
    },
    ANY_USE,
  );
  return cluster.readServiceAccount(ACCOUNT).catch((error) => error);
}

const deadUrl = async () => `https://127.0.0.1:${await freePort()}`;

describe('a call that was certainly not sent', () => {
  test.each([
    ['nobody listens', deadUrl],
    ['there is no such host', async () => 'https://nowhere.invalid'],
    [
      'nobody speaks',
      async () => {
        const server = await startSilentServer();
        stops.push(() => server.stop());
        await clusters.close();
        clusters = new KubernetesClusters(IMPATIENT, noGateways, testEgress, log);
        return server.url;
      },
    ],
    [
      'the connection is cut before TLS is done',
      async () => {
        const server = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
        stops.push(() => server.close());
        await once(server, 'listening');
        return `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
      },
    ],
  ])('can have had no effect: %s', async (_, start) => {
    const url = await start();
    const error = await callTo({ url });
    expect(error).toBeInstanceOf(ClusterNotCalled);
    expect(error).toMatchObject({
      effectUnknown: false,
      message: expect.stringMatching(`${url} cannot be reached: .+`),
    });
  });

  test('may have had one where the connection breaks after it was sent', async () => {
    const error = await callTo(await serverThat((request) => request.socket.destroy()));
    expect(error).toBeInstanceOf(ClusterUnreachable);
    expect(error).toMatchObject({ effectUnknown: true });
  });
});

test('a dead cluster is given a rest under every access once several configs agree, while the others are called as ever', async () => {
  const dead = await deadUrl();
  for (let i = 0; i < 5; i++) {
    expect(await callTo({ url: dead }, `access-${i}`)).toMatchObject({
      message: expect.stringContaining('ECONNREFUSED'),
    });
  }
  await eventually(async () =>
    expect(await callTo({ url: dead }, 'another')).toMatchObject({
      message: expect.stringMatching(/is not called for now: several configs could not connect to it since /),
      retryAfterMs: expect.any(Number),
    }),
  );
  expect(lines).toHaveLength(1);

  const healthy = await serverThat((_request, response) => response.end('{}'));
  expect(await callTo(healthy)).toBeUndefined();
});

test('a cluster that is back is called again', async () => {
  let isSick = true;
  const server = await serverThat((_request, response) => response.writeHead(isSick ? 502 : 200).end('{}'));
  for (let i = 0; i < 5; i++) {
    expect(await callTo(server)).toBeInstanceOf(ClusterRefused);
  }
  await eventually(async () => expect(await callTo(server)).toBeInstanceOf(ClusterNotCalled));
  isSick = false;
  await eventually(async () => expect(await callTo(server)).toBeUndefined());
  expect(lines.at(-1)).toBe('info: the cluster answers again');
});

describe('a cluster that answers 429', () => {
  test('is left alone by the access that it told so, for as long as its Retry-After says, and by no other', async () => {
    const requestTimes: number[] = [];
    const server = await serverThat((_request, response) => {
      requestTimes.push(performance.now());
      const isFirst = requestTimes.length === 1;
      response.writeHead(isFirst ? 429 : 200, isFirst ? { 'retry-after': '3' } : {}).end('{}');
    });
    expect(await callTo(server)).toMatchObject({ refusal: { status: 429 }, retryAfterMs: 3000 });
    expect(await callTo(server)).toBeInstanceOf(ClusterNotCalled);
    expect(await callTo(server, 'another')).toBeUndefined();
    requestTimes.pop();

    await eventually(async () => expect(await callTo(server)).toBeUndefined(), { everyMs: 20 });
    const [first = 0, second = 0] = requestTimes;
    expect(requestTimes).toHaveLength(2);
    expect(second - first).toBeGreaterThan(2950);
  });

  test('is not left alone for longer than a minute, whatever it says', async () => {
    const server = await serverThat((_request, response) => response.writeHead(429, { 'retry-after': '86400' }).end());
    expect(await callTo(server)).toMatchObject({ retryAfterMs: 60_000 });
  });
});
