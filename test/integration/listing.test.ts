import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { ClusterRefused, ClusterUnreachable } from '../../src/shared/domain/cluster-error.ts';
import type { LeaseObject } from '../../src/shared/domain/lease.ts';
import { ownLabels } from '../../src/shared/domain/marks.ts';
import type { Place } from '../../src/shared/domain/places.ts';
import type { Cluster, FoundObject } from '../../src/shared/ports/cluster.ts';
import { Admin } from '../support/admin.ts';
import { type AnsweringServer, startAnsweringServer } from '../support/answering-server.ts';
import { adminsCluster, directCluster } from '../support/direct-cluster.ts';
import { eventually } from '../support/eventually.ts';

// What is found again of our objects in a real cluster, and what a list is not taken for.

const INSTALLATION = `listing-${randomUUID().slice(0, 8)}`;
const LABELS = ownLabels(INSTALLATION);
const MARKS = {
  labels: { ...LABELS, 'leasehold.dev/lease': 'lease' },
  annotations: { 'leasehold.dev/expires-at': 'then' },
};

const { adminToken, ...address } = inject('controlPlane');
const admin = new Admin(address, adminToken);
let namespace: string;
beforeAll(async () => {
  namespace = await admin.createNamespace('listing');
});

async function pagesOf(cluster: Cluster, place: Place): Promise<FoundObject[][]> {
  const pages: FoundObject[][] = [];
  for await (const page of cluster.listMarked(place, LABELS)) {
    pages.push(page);
  }
  return pages;
}

test("objects of ours are found page by page with their marks, and nobody else's", async () => {
  const cluster = adminsCluster({ pageSize: 2 });
  const account = { namespace, name: 'of-nobody' };
  const names = ['a', 'b', 'c', 'd', 'e'];
  const uids = await Promise.all(
    names.map((name) => cluster.create({ kind: 'ServiceAccount', namespace, name }, account, MARKS)),
  );
  await admin.createServiceAccount(namespace, 'unmarked');
  await cluster.create({ kind: 'ServiceAccount', namespace, name: 'of-another' }, account, {
    ...MARKS,
    labels: { ...MARKS.labels, ...ownLabels('another') },
  });

  const pages = await pagesOf(cluster, { kind: 'ServiceAccount', namespace });
  expect(pages.map((page) => page.length)).toEqual([2, 2, 1]);
  expect(pages.flat()).toEqual(
    names.map((name, i) => ({ kind: 'ServiceAccount', namespace, name, uid: uids[i], ...MARKS })),
  );
});

const name = `kinds-${INSTALLATION}`;
const role = { kind: 'ClusterRole', name: 'view' } as const;

test.each<(namespace: string) => LeaseObject>([
  (namespace) => ({ kind: 'Secret', namespace, name }),
  (namespace) => ({ kind: 'RoleBinding', namespace, name, role }),
  () => ({ kind: 'ClusterRoleBinding', name, role }),
])('an object of every kind is found, and removed as it was found and not as another: %#', async (objectIn) => {
  const cluster = adminsCluster();
  const object = objectIn(namespace);
  const uid = await cluster.create(object, { namespace, name: 'of-nobody' }, MARKS);

  const [found, ...others] = (await pagesOf(cluster, object)).flat();
  expect(others).toEqual([]);
  expect(found).toMatchObject({ kind: object.kind, name, uid });
  await cluster.remove({ ...object, uid: randomUUID() });
  expect((await pagesOf(cluster, object)).flat()).toEqual([found]);
  await cluster.remove({ ...object, uid });
  expect((await pagesOf(cluster, object)).flat()).toEqual([]);
});

test('what a Secret holds does not come to us', async () => {
  await admin.core.createNamespacedSecret({
    namespace,
    body: { metadata: { name: 'full', ...MARKS }, stringData: { password: 'hunter2' } },
  });
  const found = await pagesOf(adminsCluster(), { kind: 'Secret', namespace });
  expect(found.flat()).toMatchObject([{ name: 'full' }]);

  const requests: (string | undefined)[] = [];
  const cluster = await clusterThatAnswers(200, page([]), (accept) => requests.push(accept));
  await pagesOf(cluster, { kind: 'Secret', namespace });
  expect(requests).toEqual(['application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1']);
});

test('who may not list is told so', async () => {
  const account = await admin.createServiceAccount(namespace, 'powerless');
  const cluster = directCluster(address, await admin.mintToken(account));
  const error = await eventually(() => pagesOf(cluster, { kind: 'Secret', namespace }).catch((caught) => caught));
  expect(error).toBeInstanceOf(ClusterRefused);
  expect(error).toMatchObject({ refusal: { status: 403 }, call: { verb: 'list', resource: 'secrets', namespace } });
});

const servers: AnsweringServer[] = [];
afterAll(() => {
  for (const server of servers) {
    server.stop();
  }
});

async function clusterThatAnswers(
  status: number,
  body: object,
  onAccept: (accept: string | undefined) => void = () => undefined,
): Promise<Cluster> {
  const server = await startAnsweringServer((request, response) => {
    onAccept(request.headers.accept);
    response.writeHead(status).end(JSON.stringify(body));
  });
  servers.push(server);
  return directCluster(server, 'token');
}

const page = (items: unknown, kind = 'PartialObjectMetadataList') => ({ kind, metadata: {}, items });

test.each([
  ['no objects', null, []],
  [
    'no marks',
    [{ metadata: { name: 'a', uid: '1' } }],
    [{ kind: 'Secret', namespace: 'team', name: 'a', uid: '1', labels: {}, annotations: {} }],
  ],
])('a page with %s is a page', async (_, items, found) => {
  const cluster = await clusterThatAnswers(200, page(items));
  expect((await pagesOf(cluster, { kind: 'Secret', namespace: 'team' })).flat()).toEqual(found);
});

test.each([
  ['an object without a uid', page([{ metadata: { name: 'a' } }])],
  ['an object without a name', page([{ metadata: { uid: '1' } }])],
  ['whole Secrets', page([{ metadata: { name: 'a', uid: '1' } }], 'SecretList')],
  ['a next page after every page', { ...page([]), metadata: { continue: 'more' } }],
  ['something else', {}],
])('an answer with %s is not taken for a list', async (_, body) => {
  const cluster = await clusterThatAnswers(200, body);
  await expect(pagesOf(cluster, { kind: 'Secret', namespace: 'team' })).rejects.toBeInstanceOf(ClusterUnreachable);
});

test('a list that went on for too long ends with what the API server says of it', async () => {
  const cluster = await clusterThatAnswers(410, {
    kind: 'Status',
    reason: 'Expired',
    message: 'The provided continue parameter is too old',
  });
  const error = await pagesOf(cluster, { kind: 'Secret', namespace: 'team' }).catch((caught) => caught);
  expect(error).toBeInstanceOf(ClusterRefused);
  expect(error).toMatchObject({ refusal: { status: 410, reason: 'Expired' }, effectUnknown: false });
});
