import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { v7 as uuidv7 } from 'uuid';
import { afterAll, expect, test } from 'vitest';
import { type AllowedCall, admit } from '../../src/gateway/allowlist.ts';
import type { LeaseObject } from '../../src/shared/domain/lease.ts';
import { ownLabels } from '../../src/shared/domain/marks.ts';
import { Secret } from '../../src/shared/domain/secret.ts';
import { KubernetesClusters } from '../../src/shared/kubernetes/kubernetes-clusters.ts';
import { createLogger } from '../../src/shared/telemetry/logger.ts';
import { noGateways } from '../fakes/no-gateways.ts';
import { ANY_USE } from '../support/cluster-use.ts';
import { testEgress } from '../support/egress.ts';
import { PATIENT_LIMITS } from '../support/patience.ts';

/** What the allowlist made of the requests so far. */
const admitted: AllowedCall[] = [];

const server = createServer(async (request, response) => {
  try {
    admitted.push(await admitWhole(request));
    response.end(JSON.stringify(ANSWER));
  } catch (error) {
    response.writeHead(403).end((error as Error).message);
  }
}).listen(0, '127.0.0.1');
await once(server, 'listening');
afterAll(() => server.close());

async function admitWhole(request: IncomingMessage): Promise<AllowedCall> {
  const { headers, method, url: target } = request;
  return admit({ method, target, accept: headers.accept, contentType: headers['content-type'] })(await text(request));
}

/** Fits every call. */
const ANSWER = {
  kind: 'PartialObjectMetadataList',
  metadata: { uid: 'u-1', continue: '' },
  items: [],
  status: { token: 't', expirationTimestamp: '2030-01-01T00:00:00Z', allowed: true },
};

const cluster = new KubernetesClusters(
  { connections: 1, ...PATIENT_LIMITS },
  noGateways,
  testEgress,
  createLogger('test', 'silent'),
).at(
  {
    kind: 'direct',
    renewToken: false,
    id: 'a-1',
    configUid: 'config',
    gateway: undefined,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    tls: { caPem: undefined, insecureSkipVerify: false, serverName: undefined },
    token: new Secret('token'),
  },
  ANY_USE,
);

const id = uuidv7();
const name = `leasehold-${id}`;
const namespace = 'team-a';
const account = { namespace, name };
const role = { kind: 'ClusterRole', name: 'view' } as const;
const marks = {
  labels: { ...ownLabels('prod'), 'leasehold.dev/lease': id, 'leasehold.dev/config': 'prod-readonly' },
  annotations: { 'leasehold.dev/expires-at': new Date().toISOString() },
};
const objects: LeaseObject[] = [
  { kind: 'ServiceAccount', namespace, name },
  { kind: 'Secret', namespace, name },
  { kind: 'RoleBinding', namespace, name, role },
  { kind: 'ClusterRoleBinding', name, role },
];

test.each(objects)('a $kind that Leasehold makes, lists and removes goes through the allowlist', async (object) => {
  await cluster.create(object, account, marks);
  for await (const _ of cluster.listMarked(object, ownLabels('prod'))) {
    // All pages are asked for.
  }
  // The answer is none of a delete; what counts here is that the call was admitted.
  await expect(cluster.remove({ ...object, uid: 'u-1' })).rejects.toThrow('not what the Kubernetes API promises');
  expect(admitted.splice(0).map(({ method }) => method)).toEqual(['POST', 'GET', 'DELETE']);
});

test('so do tokens, accounts that are read, and questions', async () => {
  await cluster.mintToken(account, { audiences: ['vault'], seconds: 600, boundTo: { name, uid: 'u-1' } });
  await cluster.mintToken({ namespace, name: 'deployer' }, { audiences: [], seconds: 4_000_000_000 });
  await cluster.readServiceAccount({ namespace, name: 'deployer' });
  await cluster.canI({ verb: 'create', apiGroup: '', resource: 'serviceaccounts/token', namespace, purpose: 'test' });
  expect(admitted.splice(0)).toHaveLength(4);
});

test.each(['Role', 'ClusterRole'] as const)('so does a %s that is looked at, whatever its name', async (kind) => {
  const names = ['view', 'system:node-x', 'a?b#c\\d+e&f=g', "a(b)!*'~", '...', 'röle-🔑', ':'.repeat(253)];
  for (const each of names) {
    // The answer is about no role; what counts here is that the call was admitted.
    await expect(cluster.readRole({ kind, name: each }, namespace)).rejects.toThrow('the Kubernetes API promises');
  }
  expect(admitted.splice(0).map(({ path }) => decodeURIComponent(path.split('/').at(-1) ?? ''))).toEqual(names);
});

test.each(objects.slice(2))('so does the rehearsal of a $kind', async (object) => {
  const check = `leasehold-check-${id}`;
  await expect(cluster.dryRunCreate({ ...object, name: check }, { namespace, name: check })).resolves.toMatchObject({
    allowed: true,
  });
  expect(admitted.splice(0)).toHaveLength(1);
});
