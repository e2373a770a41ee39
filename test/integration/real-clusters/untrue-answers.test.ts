import type { IncomingMessage, ServerResponse } from 'node:http';
import type { V1Status } from '@kubernetes/client-node';
import { Status } from 'nice-grpc';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { LeaseState } from '../../../src/gen/leasehold/v1/lease.ts';
import type { LeaseObject } from '../../../src/shared/domain/lease.ts';
import { Secret } from '../../../src/shared/domain/secret.ts';
import { type AdmissionWebhook, admissionWebhook } from '../../support/admission-webhook.ts';
import { type AnsweringServer, startAnsweringServer } from '../../support/answering-server.ts';
import {
  failure,
  forbidden,
  notFound,
  otherUid,
  otherUidInTransaction,
  ROLE_BINDINGS,
  SERVICE_ACCOUNTS,
} from '../../support/api-server-words.ts';
import { directCluster } from '../../support/direct-cluster.ts';
import { eventually } from '../../support/eventually.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { type DynamicSetup, seconds, setUpDynamic } from '../../support/set-ups.ts';
import { openWorld, type World } from '../../support/world.ts';

// Only the API server's own word ends a lease. An admission webhook chooses code, reason and details of its refusal, and
// what stands in front of an API server may answer anything.

describe('an admission webhook that lies about what is deleted', () => {
  let world: World;
  let dynamic: DynamicSetup;
  let webhook: AdmissionWebhook;
  beforeAll(async () => {
    world = await openWorld();
    dynamic = await setUpDynamic(world, 'dynamic');
    await world.configs.createConfig({ config: dynamic.config });
    webhook = await admissionWebhook(world, {
      namespaces: dynamic.namespaces,
      operations: ['DELETE'],
      resources: ['serviceaccounts', 'rolebindings'],
      answer: { kind: 'allow' },
    });
  });
  afterAll(async () => {
    await webhook.remove();
    await world.stop();
  });

  type Objects = { name: string; uid: string };
  const lies: [string, (objects: Objects) => V1Status][] = [
    ['a NotFound that names the object', ({ name }) => ({ code: 404, reason: 'NotFound', details: { name } })],
    ["all of the API server's own NotFound", ({ name }) => notFound(SERVICE_ACCOUNTS, name)],
    ['NotFound, 409', ({ name }) => ({ ...notFound(SERVICE_ACCOUNTS, name), code: 409 })],
    ['another uid', ({ name, uid }) => otherUid(SERVICE_ACCOUNTS, name, { asked: uid, found: 'another' })],
    [
      'another uid, in the transaction',
      ({ name, uid }) => otherUidInTransaction(SERVICE_ACCOUNTS, name, { asked: uid, found: 'another' }),
    ],
    ['410 Gone', ({ name }) => ({ code: 410, reason: 'Gone', details: { name } })],
    ['Success', ({ name, uid }) => ({ status: 'Success', code: 200, details: { name, uid } })],
  ];
  test.each(lies)('%s: the lease stays, says why, and ends when it may', async (_, lie) => {
    const { lease } = await world.leases.issueLease({ config: 'dynamic', ttl: seconds(600) });
    const { id = '', namespace = '', serviceAccount: name = '', objects = [] } = lease ?? {};
    const uid = objects.find(({ kind }) => kind === 'ServiceAccount')?.uid ?? '';
    webhook.answer = { kind: 'deny', status: lie({ name, uid }) };
    try {
      const rejection = await rejectionOf(world.leases.revokeLease({ id }));
      expect(rejection).toMatchObject({ code: Status.FAILED_PRECONDITION, reason: 'CLUSTER_WEBHOOK_DENIED' });
      expect(rejection.message).toContain(webhook.name);
      const revoking = await world.leases.getLease({ id });
      expect(revoking).toMatchObject({ state: LeaseState.LEASE_STATE_REVOKING });
      expect(revoking.lastError).toContain(`admission webhook "${webhook.name}" denied the request`);
      await world.admin.core.readNamespacedServiceAccount({ namespace, name });
    } finally {
      webhook.answer = { kind: 'allow' };
    }
    await eventually(async () =>
      expect(await world.leases.getLease({ id })).toMatchObject({
        state: LeaseState.LEASE_STATE_REVOKED,
        lastError: '',
      }),
    );
    expect(await world.admin.leaseholdObjects(world.settings.LEASEHOLD_INSTALLATION)).toEqual([]);
  });
});

let server: AnsweringServer;
afterEach(() => server?.stop());

const account: LeaseObject = { kind: 'ServiceAccount', namespace: 'team', name: 'leasehold-1', uid: 'uid-1' };
const binding: LeaseObject = {
  kind: 'RoleBinding',
  namespace: 'team',
  name: 'leasehold-1',
  uid: 'uid-1',
  role: { kind: 'Role', name: 'r' },
};

async function clusterThatAnswers(status: number, body: unknown, headers: Record<string, string> = {}) {
  server = await startAnsweringServer((_request: IncomingMessage, response: ServerResponse) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  });
  return directCluster(server, 'token');
}

const success = (details?: object) => ({ kind: 'Status', apiVersion: 'v1', status: 'Success', details });
const asItWas = (metadata: object = {}, kind = 'ServiceAccount') => ({
  kind,
  apiVersion: 'v1',
  metadata: { name: account.name, namespace: 'team', uid: 'uid-1', ...metadata },
});
const uids = { asked: 'uid-1', found: 'uid-2' };
const details = { name: account.name, kind: 'serviceaccounts' };

describe("the API server's own word", () => {
  test.each<[string, LeaseObject, number, unknown]>([
    ['there is none', account, 404, notFound(SERVICE_ACCOUNTS, account.name)],
    ['there is none, in a group', binding, 404, notFound(ROLE_BINDINGS, account.name)],
    ['another uid', account, 409, otherUid(SERVICE_ACCOUNTS, account.name, uids)],
    ['another uid, in a group', binding, 409, otherUid(ROLE_BINDINGS, account.name, uids)],
    ['another uid, in the transaction', account, 409, otherUidInTransaction(SERVICE_ACCOUNTS, account.name, uids)],
    ['another uid, both', binding, 409, otherUidInTransaction(ROLE_BINDINGS, account.name, uids)],
    ['a Status with its resource', account, 200, success({ ...details, uid: 'uid-1' })],
    ['a Status with its kind', account, 200, success({ name: account.name, kind: 'ServiceAccount' })],
    ['the object as it was', account, 200, asItWas()],
    ['the object, deleted at once', account, 200, asItWas({ deletionTimestamp: 't', deletionGracePeriodSeconds: 0 })],
  ])('that the object is gone counts: %s', async (_, object, status, body) => {
    const cluster = await clusterThatAnswers(status, body);
    await expect(cluster.remove(object)).resolves.toBeUndefined();
  });
});

describe('what is not that word', () => {
  const own = notFound(SERVICE_ACCOUNTS, account.name);
  const conflict = otherUid(SERVICE_ACCOUNTS, account.name, uids);
  test.each<[string, number, unknown, Record<string, string>?]>([
    ['a page', 404, '<html><body>404 Not Found</body></html>'],
    ['a NotFound without its message', 404, { ...own, message: '' }],
    ['a NotFound in other words', 404, { ...own, message: 'not found' }],
    [
      'a NotFound behind words of a webhook',
      404,
      forbidden(SERVICE_ACCOUNTS, account.name, `admission webhook "w" denied the request: ${own.message}`),
    ],
    ['a NotFound without a name', 404, { ...own, details: { kind: 'serviceaccounts' } }],
    ['a NotFound of another kind', 404, { ...own, details: { ...details, kind: 'secrets' } }],
    ['a NotFound of another group', 404, { ...own, details: { ...details, group: 'example.com' } }],
    ['a NotFound of the namespace', 404, notFound({ group: '', resource: 'namespaces', kind: 'Namespace' }, 'team')],
    ['a NotFound with another code', 404, { ...own, code: 403 }],
    ['a NotFound under another status', 403, own],
    ['a NotFound that is a success', 200, own],
    ['an unknown resource', 404, failure(404, 'NotFound', 'the server could not find the requested resource', details)],
    ['410', 410, failure(410, 'Gone', 'gone', details)],
    ['a conflict of other words', 409, { ...conflict, message: `${conflict.message}!` }],
    ['a conflict without its words', 409, { ...conflict, message: 'UID in precondition' }],
    [
      "a conflict of somebody else's uid",
      409,
      otherUid(SERVICE_ACCOUNTS, account.name, { asked: 'uid-3', found: 'uid-2' }),
    ],
    ['a conflict with our own uid', 409, otherUid(SERVICE_ACCOUNTS, account.name, { asked: 'uid-1', found: 'uid-1' })],
    [
      'a conflict without the other uid',
      409,
      otherUidInTransaction(SERVICE_ACCOUNTS, account.name, { asked: 'uid-1', found: '' }),
    ],
    ['a conflict under another status', 404, conflict],
    ['a redirect', 302, '', { location: 'https://127.0.0.1:1/' }],
    ['nothing', 204, ''],
    ['a promise', 202, success({ ...details, uid: 'uid-1' })],
    ['a success with words', 200, { ...success({ ...details, uid: 'uid-1' }), message: 'denied' }],
    ['a success of another name', 200, success({ ...details, name: 'other' })],
    ['a success of another kind', 200, success({ ...details, kind: 'pods' })],
    ['a success of another uid', 200, success({ ...details, uid: 'uid-2' })],
    ['a failure inside a success', 200, failure(404, 'NotFound', own.message ?? '', details)],
    ['another object', 200, asItWas({ name: 'other' })],
    ['an object of another uid', 200, asItWas({ uid: 'uid-2' })],
    ['an object of another namespace', 200, asItWas({ namespace: 'other' })],
    ['an object of another kind', 200, asItWas({}, 'Secret')],
    ['an object that waits for its finalizers', 200, asItWas({ finalizers: ['f'] })],
    ['an object whose grace period runs', 200, asItWas({ deletionTimestamp: 't', deletionGracePeriodSeconds: 30 })],
  ])('does not say that the object is gone: %s', async (_, status, body, headers) => {
    const cluster = await clusterThatAnswers(status, body, headers);
    await expect(cluster.remove(account)).rejects.toThrow('could not delete serviceaccounts "leasehold-1"');
  });

  test('a conflict does not count where no uid was asked for', async () => {
    const cluster = await clusterThatAnswers(409, conflict);
    await expect(cluster.remove({ ...account, uid: undefined })).rejects.toThrow('409');
  });
});

describe('an answer about another object confirms nothing', () => {
  const marks = { labels: {}, annotations: {} };
  const reader = { namespace: 'team', name: 'reader' };
  const wish = { audiences: [], seconds: 600 };
  const tokenOf = (sub: string) => `h.${Buffer.from(JSON.stringify({ sub })).toString('base64url')}.s`;
  const minted = (fields: object, token = 'opaque') => ({
    kind: 'TokenRequest',
    status: { token, expirationTimestamp: '2030-01-01T00:00:00Z' },
    ...fields,
  });
  test.each<[string, unknown, (cluster: ReturnType<typeof directCluster>) => Promise<unknown>]>([
    ['created by another name', asItWas({ name: 'other' }), (cluster) => cluster.create(account, reader, marks)],
    ['created in another namespace', asItWas({ namespace: 'x' }), (cluster) => cluster.create(account, reader, marks)],
    ['found by another name', asItWas({ name: 'other' }), (cluster) => cluster.readServiceAccount(reader)],
    ['found: a Status', success(), (cluster) => cluster.readServiceAccount(reader)],
    ['a token by another name', minted({ metadata: { name: 'other' } }), (cluster) => cluster.mintToken(reader, wish)],
    [
      'a token of another account',
      minted({}, tokenOf('system:serviceaccount:kube-system:admin')),
      (cluster) => cluster.mintToken(reader, wish),
    ],
    [
      'a token that is not bound',
      minted({ spec: { audiences: [] } }),
      (cluster) => cluster.mintToken(reader, { ...wish, boundTo: { name: 'leasehold-1', uid: 'uid-1' } }),
    ],
  ])('%s', async (_, body, call) => {
    const cluster = await clusterThatAnswers(201, body);
    await expect(call(cluster)).rejects.toMatchObject({ name: 'ClusterUnreachable', effectUnknown: true });
  });

  test('a token of our account counts', async () => {
    const token = tokenOf('system:serviceaccount:team:reader');
    const cluster = await clusterThatAnswers(201, minted({ metadata: { name: 'reader', namespace: 'team' } }, token));
    await expect(cluster.mintToken(reader, wish)).resolves.toMatchObject({ token: new Secret(token) });
  });
});
