import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import {
  ClusterAddressNotAllowed,
  ClusterNotCalled,
  ClusterNotTrusted,
  ClusterRefused,
} from '../../src/shared/domain/cluster-error.ts';
import { Secret } from '../../src/shared/domain/secret.ts';
import { AllowedNetworks } from '../../src/shared/kubernetes/egress/allowed-networks.ts';
import { EgressGuard, type Resolve } from '../../src/shared/kubernetes/egress/egress-guard.ts';
import { KubernetesClusters } from '../../src/shared/kubernetes/kubernetes-clusters.ts';
import { noGateways } from '../fakes/no-gateways.ts';
import { makeCa } from '../support/certificates.ts';
import { ANY_USE } from '../support/cluster-use.ts';
import { keepLog } from '../support/keep-log.ts';
import { PATIENCE_MS, PATIENT_LIMITS } from '../support/patience.ts';

// Calls over real connections, by a resolver that answers what it likes.

const NAME = 'cluster.test';
const LOOPBACK = '127.0.0.1';
const METADATA = '169.254.169.254';
const LIMITS = { connections: 1, ...PATIENT_LIMITS };

const ca = await makeCa();
const certificate = await ca.issue([NAME]);
const opened: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) {
    await close();
  }
});

/** An API server of that name on this machine, and what came to it. */
async function startCluster(answer = (_: IncomingMessage, response: ServerResponse) => void response.end('{}')) {
  const connections: Socket[] = [];
  const requests: string[] = [];
  const server = createServer(certificate, (request, response) => {
    requests.push(request.url ?? '');
    answer(request, response);
  });
  server.on('connection', (socket: Socket) => connections.push(socket));
  server.listen(0, LOOPBACK);
  await once(server, 'listening');
  opened.push(() => {
    server.close();
    server.closeAllConnections();
  });
  return { port: (server.address() as AddressInfo).port, connections, requests };
}

/** Each question is answered by the next of `answers`, then by the last again. */
function resolverThat(...answers: string[][]): { resolve: Resolve; asked: string[] } {
  const asked: string[] = [];
  const resolve: Resolve = async (host) => {
    const addresses = answers[Math.min(asked.length, answers.length - 1)] ?? [];
    asked.push(host);
    return addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
  };
  return { resolve, asked };
}

/** Makes calls to a URL. Each resolves with the error of one that fails. */
function callerOf(url: string, resolve?: Resolve, allowed = '127.0.0.0/8', limits = LIMITS): () => Promise<unknown> {
  const egress = new EgressGuard(AllowedNetworks.parse(allowed), resolve);
  const clusters = new KubernetesClusters(limits, noGateways, egress, keepLog().log);
  opened.push(() => clusters.close());
  const tls = { caPem: ca.caPem, insecureSkipVerify: false, serverName: undefined };
  const access = {
    kind: 'direct',
    gateway: undefined,
    id: url,
    configUid: 'config',
    url,
    tls,
    token: new Secret('token'),
    renewToken: false,
  } as const;
  return () =>
    clusters
      .at(access, ANY_USE)
      .readServiceAccount({ namespace: 'team', name: 'reader' })
      .catch((error: unknown) => error);
}

describe('a name', () => {
  test('is resolved once, and dialled at what was judged', async () => {
    const { port, connections } = await startCluster();
    const { resolve, asked } = resolverThat([LOOPBACK], [METADATA]);
    expect(await callerOf(`https://${NAME}:${port}`, resolve)()).toBeUndefined();
    expect(asked).toEqual([NAME]);
    expect(connections).toHaveLength(1);
  });

  test('keeps a connection that was judged, and is judged again for another', async () => {
    const { port, connections } = await startCluster();
    const { resolve, asked } = resolverThat([LOOPBACK], [METADATA]);
    const call = callerOf(`https://${NAME}:${port}`, resolve);
    expect(await call()).toBeUndefined();
    expect(await call()).toBeUndefined();
    expect(asked).toEqual([NAME]);

    const [kept] = connections;
    kept?.destroy();
    await once(kept as Socket, 'close');
    let last: unknown;
    await expect.poll(async () => (last = await call())).toBeInstanceOf(ClusterAddressNotAllowed);
    expect(last).toMatchObject({
      effectUnknown: false,
      problem: `${NAME} leads to ${METADATA}, a link-local address, which no setting allows: the URL must lead to another address`,
    });
    expect(connections).toHaveLength(1);
  });

  test.each([
    [[LOOPBACK, METADATA]],
    [[METADATA, LOOPBACK]],
    [[LOOPBACK, '10.0.0.1']],
    [[LOOPBACK, '::ffff:169.254.169.254']],
    [[LOOPBACK, 'fe80::1%lo']],
  ])('is not dialled at all where one of its addresses may not be: %j', async (addresses) => {
    const { port, connections } = await startCluster();
    const { resolve } = resolverThat(addresses);
    expect(await callerOf(`https://${NAME}:${port}`, resolve)()).toBeInstanceOf(ClusterAddressNotAllowed);
    expect(connections).toHaveLength(0);
  });

  test('that nobody answers for is asked for once at a time: each question holds a thread of this process', async () => {
    let asked = 0;
    let isAsked: (addresses: string[]) => void = () => undefined;
    const resolve: Resolve = async () => {
      asked += 1;
      const addresses = await new Promise<string[]>((answer) => {
        isAsked = answer;
      });
      return addresses.map((address) => ({ address, family: 4 }));
    };
    const call = callerOf(`https://${NAME}:1`, resolve, undefined, { ...LIMITS, connectTimeoutMs: 500 });
    for (let attempt = 0; attempt < 3; attempt++) {
      expect(await call()).toBeInstanceOf(ClusterNotCalled);
    }
    expect(asked).toBe(1);

    isAsked([LOOPBACK]);
    await setImmediate();
    const next = call();
    await expect.poll(() => asked, { timeout: PATIENCE_MS }).toBe(2);
    isAsked([METADATA]);
    expect(await next).toBeInstanceOf(ClusterAddressNotAllowed);
  });

  test('has its next address dialled where the first does not answer', async () => {
    const { port } = await startCluster();
    const { resolve } = resolverThat(['127.0.0.2', LOOPBACK]);
    expect(await callerOf(`https://${NAME}:${port}`, resolve)()).toBeUndefined();
  });

  test('without an address cannot be reached', async () => {
    const { resolve } = resolverThat([]);
    expect(await callerOf(`https://${NAME}`, resolve)()).toBeInstanceOf(ClusterNotCalled);
  });

  test('is what the certificate must be for, not the address', async () => {
    const { port } = await startCluster();
    const { resolve } = resolverThat([LOOPBACK]);
    expect(await callerOf(`https://another.test:${port}`, resolve)()).toBeInstanceOf(ClusterNotTrusted);
  });

  test.each([
    ['localhost', undefined],
    ['LOCALHOST', undefined],
    ['localhost.', resolverThat([LOOPBACK, '::1']).resolve],
    ['api.localhost', resolverThat(['::1']).resolve],
  ])('of this machine is not dialled: %s', async (name, resolve) => {
    const { port, connections } = await startCluster();
    const call = callerOf(`https://${name}:${port}`, resolve, '10.0.0.0/8');
    expect(await call()).toBeInstanceOf(ClusterAddressNotAllowed);
    expect(connections).toHaveLength(0);
  });

  test.each(['metadata.google.internal', 'metadata.google.internal.', 'METADATA', 'xn--mtadata-bya.test'])(
    'of a metadata service is judged by where it leads: %s',
    async (name) => {
      const { resolve, asked } = resolverThat([METADATA]);
      expect(await callerOf(`https://${name}`, resolve)()).toBeInstanceOf(ClusterAddressNotAllowed);
      expect(asked).toEqual([name.toLowerCase()]);
    },
  );
});

test.each([
  ['decimal', '2130706433'],
  ['octal', '0177.0.0.1'],
  ['hexadecimal', '0x7f000001'],
  ['mixed', '0x7f.0.1'],
  ['short', '127.1'],
  ['with a dot at its end', '127.0.0.1.'],
  ['in wide digits', '１２７.０.０.１'],
  ['with ideographic dots', '127。0。0。1'],
  ['percent-encoded', '%31%32%37.0.0.1'],
  ['mapped into IPv6', '[::ffff:127.0.0.1]'],
  ['mapped, in hexadecimal', '[::FFFF:7F00:1]'],
])('an address is dialled by nobody, however it is written: %s', async (_, host) => {
  const { port, connections } = await startCluster();
  const { resolve, asked } = resolverThat([LOOPBACK]);
  expect(await callerOf(`https://${host}:${port}`, resolve, '10.0.0.0/8')()).toBeInstanceOf(ClusterAddressNotAllowed);
  expect(asked).toEqual([]);
  expect(connections).toHaveLength(0);
});

test.each([301, 302, 303, 307, 308])('a redirect is not followed: %i', async (status) => {
  const elsewhere = await startCluster();
  const { port, requests } = await startCluster((_request, response) => {
    response.writeHead(status, { location: `https://${NAME}:${elsewhere.port}/latest/meta-data` }).end();
  });
  const { resolve } = resolverThat([LOOPBACK]);
  const error = await callerOf(`https://${NAME}:${port}`, resolve)();
  expect(error).toBeInstanceOf(ClusterRefused);
  expect(error).toMatchObject({ refusal: { status } });
  expect(requests).toHaveLength(1);
  expect(elsewhere.connections).toHaveLength(0);
});
