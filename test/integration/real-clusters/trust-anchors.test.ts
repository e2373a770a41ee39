import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { InClusterToken } from '../../../src/gateway/in-cluster-token.ts';
import { OwnApiServer } from '../../../src/gateway/own-api-server.ts';
import { readGatewaySettings } from '../../../src/gateway/settings.ts';
import { tunnelServers } from '../../../src/gateway/tunnel-server.ts';
import { HttpsJson } from '../../../src/server/authentication/https-json.ts';
import { Secret } from '../../../src/shared/domain/secret.ts';
import { AccessGuard } from '../../../src/shared/kubernetes/access-guard.ts';
import { ApiServer } from '../../../src/shared/kubernetes/api-server.ts';
import { FairTurns } from '../../../src/shared/kubernetes/fair-turns.ts';
import { routeTo } from '../../../src/shared/kubernetes/route-to.ts';
import { Peers } from '../../../src/shared/relay/peers.ts';
import { makeTempFolder, type TempFolder } from '../../servers/temp-folder.ts';
import { startAnsweringServer } from '../../support/answering-server.ts';
import {
  bundle,
  type Certificate,
  firstOf,
  makeCa,
  makeSelfSigned,
  makeWeak,
  misusedAsCa,
} from '../../support/certificates.ts';
import { ANY_USE } from '../../support/cluster-use.ts';
import { testEgress } from '../../support/egress.ts';
import { keepLog } from '../../support/keep-log.ts';
import { connectTo, startLeasehold } from '../../support/leasehold.ts';
import { startRelay } from '../../support/relay.ts';
import { makeSecureSite } from '../../support/secure-site.ts';
import { callersYaml } from '../../support/security.ts';

// What kubectl, Go and curl take as a trust anchor is taken wherever Leasehold verifies somebody: any certificate of the
// bundle. What they refuse is refused.

const HOUR = 3_600_000;
const ended = new Date(Date.now() - HOUR);

const root = await makeCa();
const [intermediate, sibling, expired] = [await root.issueCa(), await root.issueCa(), await root.issueCa(ended)];
const lower = await intermediate.issueCa();
const [leaf, otherLeaf, ofLower, ofExpired, elsewhere, selfSigned, selfSignedCa] = await Promise.all([
  intermediate.issue(),
  intermediate.issue(),
  lower.issue(),
  expired.issue(),
  intermediate.issue(['elsewhere.example']),
  makeSelfSigned(false),
  makeSelfSigned(true),
]);
const ofLeaf = await misusedAsCa(leaf).issue();

const alone = ({ cert, key }: Certificate): Certificate => ({ cert: firstOf(cert), key });

const ROWS: [what: string, anchors: string, shown: Certificate, isTrusted: boolean][] = [
  ['the root, for a whole chain', root.caPem, leaf, true],
  ['the intermediate alone, for a whole chain', intermediate.caPem, leaf, true],
  ['the intermediate alone, for the leaf alone', intermediate.caPem, alone(leaf), true],
  ['the intermediate beside a CA that is none of its', bundle(sibling.caPem, intermediate.caPem), leaf, true],
  ['the upper of two intermediates', intermediate.caPem, ofLower, true],
  ['the lower of two intermediates', lower.caPem, alone(ofLower), true],
  ['the leaf itself', firstOf(leaf.cert), alone(leaf), true],
  ['the leaf itself, for a whole chain', firstOf(leaf.cert), leaf, true],
  ['a leaf that is signed by itself', selfSigned.cert, selfSigned, true],
  ['a leaf that is signed by itself and says that it is a CA', selfSignedCa.cert, selfSignedCa, true],
  ['the root, where the intermediate is not shown', root.caPem, alone(leaf), false],
  ['another intermediate of the same root', sibling.caPem, leaf, false],
  ['another leaf of the same CA', firstOf(otherLeaf.cert), leaf, false],
  ['another leaf that is signed by itself', selfSigned.cert, selfSignedCa, false],
  ['an intermediate that has expired', expired.caPem, ofExpired, false],
  ['a leaf that issued another', firstOf(leaf.cert), ofLeaf, false],
  ['the intermediate, for another name', intermediate.caPem, elsewhere, false],
  ['the leaf itself, for another name', firstOf(elsewhere.cert), elsewhere, false],
];

let folder: TempFolder;
let files = 0;
beforeAll(async () => {
  folder = await makeTempFolder('trust-anchors');
  await writeFile(join(folder.path, 'token'), 'token');
});
afterAll(() => folder.remove());

async function fileOf(content: string): Promise<string> {
  const path = join(folder.path, `file-${files++}.pem`);
  await writeFile(path, content);
  return path;
}

/** Calls an API server by the route of an access. Resolves where it was trusted. */
async function callApiServer(url: string, caPem: string, gateway?: { name: string; uid: string }): Promise<void> {
  const limits = { connections: 1, connectTimeoutMs: 20_000, callTimeoutMs: 30_000 };
  const access = {
    kind: 'direct',
    id: 'access',
    configUid: 'config',
    url,
    tls: { caPem, insecureSkipVerify: false, serverName: undefined },
    token: new Secret('token'),
    renewToken: false,
    gateway,
  } as const;
  const dialer = {
    async dial(_gateway: unknown, target: 'api-server' | { address: string }) {
      const [host = '', port] = target === 'api-server' ? [] : target.address.split(':');
      return connect({ host, port: Number(port), allowHalfOpen: true });
    },
  };
  const route = routeTo(access, limits.connectTimeoutMs, dialer, testEgress);
  const guard = new AccessGuard(
    { cluster: url, configUid: access.configUid, turns: new FairTurns(limits.connections), outage: undefined },
    limits.callTimeoutMs,
    keepLog().log,
  );
  const server = new ApiServer(route, limits, guard);
  try {
    await server.call({ verb: 'get', apiGroup: '', resource: 'namespaces', name: 'default' }, ANY_USE);
  } finally {
    await server.close();
  }
}

/** Whether a call of the tunnel came to its server: TLS was good where that answers itself. */
function isAnswered(error: unknown): boolean {
  return /unknown|UNIMPLEMENTED/.test(String(error));
}

/** Each verifies a server that shows a certificate by some anchors, and rejects where it does not trust it. */
const PLACES: [who: string, verify: (anchors: string, shown: Certificate) => Promise<void>][] = [
  ['a config that is called directly', (anchors, shown) => withApiServer(shown, (url) => callApiServer(url, anchors))],
  [
    'a config by the network path of a gateway',
    (anchors, shown) => withApiServer(shown, (url) => callApiServer(url, anchors, { name: 'edge', uid: 'uid' })),
  ],
  [
    'an issuer, or a cluster that reviews tokens',
    (anchors, shown) =>
      withApiServer(shown, async (url) => {
        const https = new HttpsJson({ caFile: await fileOf(anchors) }, testEgress);
        await https.get(url).finally(() => https.close());
      }),
  ],
  [
    'an agent that calls its API server',
    (anchors, shown) =>
      withApiServer(shown, async (url) => {
        const server = new OwnApiServer({ url, ca: anchors, token: new InClusterToken(join(folder.path, 'token')) });
        const call = { method: 'GET', path: '/version', accept: 'application/json', isList: false } as const;
        const { status } = await server.call({ ...call, body: undefined }, AbortSignal.timeout(30_000));
        await server.close();
        if (status !== 200) {
          throw new Error(`answered ${status}`);
        }
      }),
  ],
  [
    'an agent that dials out to Leasehold',
    (anchors, shown) =>
      withRelay(shown, async (address) => {
        const settings = readGatewaySettings({
          LEASEHOLD_GATEWAY_SERVERS: address,
          LEASEHOLD_GATEWAY_SERVER_CA: await fileOf(anchors),
        });
        const client = tunnelServers(settings)[0]?.connect();
        const nothing = { token: 'none', publicKey: Buffer.of(), signature: Buffer.of() };
        const error = await client?.enrol(nothing, { deadline: Date.now() + 30_000 }).catch((failure) => failure);
        client?.close();
        if (!isAnswered(error)) {
          throw error;
        }
      }),
  ],
  [
    'a server that dials another',
    (anchors, shown) =>
      withRelay(shown, async (address) => {
        const peers = new Peers({ bearer: () => new Secret('bearer'), ca: () => anchors, name: undefined });
        const open = peers.wayTo('gateway', address).open({ kind: 'api-server' }, { timeoutMs: 30_000 });
        const error = await open.catch((failure: Error) => failure);
        peers.close();
        if (!isAnswered(error instanceof Error ? `${error.message} ${error.cause}` : error)) {
          throw error;
        }
      }),
  ],
];

async function withApiServer(shown: Certificate, use: (url: string) => Promise<void>): Promise<void> {
  const server = await startAnsweringServer((_request, response) => void response.end('{}'), shown);
  try {
    await use(server.url.replace('127.0.0.1', 'localhost'));
  } finally {
    server.stop();
  }
}

async function withRelay(shown: Certificate, use: (address: string) => Promise<void>): Promise<void> {
  const relay = await startRelay(shown);
  try {
    await use(relay.address);
  } finally {
    relay.stop();
  }
}

describe.each(PLACES)('%s', (_who, verify) => {
  test.each(ROWS)('by %s', async (_what, anchors, shown, isTrusted) => {
    const failure = await verify(anchors, shown).then(
      () => undefined,
      (error: Error) => error,
    );
    expect(failure === undefined, String(failure)).toBe(isTrusted);
  });
});

// OpenSSL is stricter here than Go, or as strict: the caller hears that the certificate is at fault, not the network.
test.each<[string, () => Promise<{ anchors: string; shown: Certificate }>, string]>([
  [
    'the certificate of a client',
    async () => ({ anchors: root.caPem, shown: await root.issueClient() }),
    'INVALID_PURPOSE',
  ],
  [
    'a key that is too weak',
    async () => {
      const shown = await makeWeak();
      return { anchors: shown.cert, shown };
    },
    'EE certificate key too weak',
  ],
  ['a certificate that has expired', async () => ({ anchors: expired.caPem, shown: ofExpired }), 'CERT_HAS_EXPIRED'],
])('an API server that shows %s is not trusted', async (_what, make, reason) => {
  const { anchors, shown } = await make();
  const call = withApiServer(shown, (url) => callApiServer(url, anchors));
  await expect(call).rejects.toMatchObject({ name: 'ClusterNotTrusted', message: expect.stringContaining(reason) });
});

describe('a caller with a client certificate', async () => {
  const CALLER = 'spiffe://example.org/caller';
  const client = await intermediate.issueClient({ uris: [CALLER] });
  const noRoot = 'CAs of LEASEHOLD_CLIENT_CA verify no client';

  // The server side of Node's TLS knows no partial chains: where that is the reason, the log says it.
  test.each<[string, string, Certificate, boolean]>([
    ['the root', root.caPem, client, true],
    ['the root, and the intermediate', bundle(root.caPem, intermediate.caPem), alone(client), true],
    ['the intermediate alone', intermediate.caPem, client, false],
    ['the certificate itself', firstOf(client.cert), alone(client), false],
  ])('by %s', async (_what, anchors, certificate, isTrusted) => {
    const callers = callersYaml({ certificates: { trustDomains: ['example.org'] }, groups: { admins: [CALLER] } });
    const site = await makeSecureSite(await root.issue(), anchors, callers);
    const leasehold = await startLeasehold(inject('redisUrl'), site.environment);
    const { configs, close } = connectTo(leasehold.address, { serverCa: root.caPem, certificate });
    const isListed = await configs.listConfigs({}).then(
      () => true,
      () => false,
    );
    close();
    await leasehold.stop();
    await site.remove();
    expect(isListed).toBe(isTrusted);
    expect(leasehold.logs.some((line) => line.includes(noRoot))).toBe(!isTrusted);
  });
});
