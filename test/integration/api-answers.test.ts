import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterEach, describe, expect, test } from 'vitest';
import { ClusterNotDone, ClusterRefused, ClusterUnreachable } from '../../src/shared/domain/cluster-error.ts';
import type { LeaseObject } from '../../src/shared/domain/lease.ts';
import type { Cluster } from '../../src/shared/ports/cluster.ts';
import { type AnsweringServer, startAnsweringServer } from '../support/answering-server.ts';
import { notFound, otherUid, otherUidInTransaction, SERVICE_ACCOUNTS } from '../support/api-server-words.ts';
import { directCluster } from '../support/direct-cluster.ts';

// What an API server, or something else at its URL, may answer; a real one cannot be made to.

const CALL_TIMEOUT_MS = 500;
const object: LeaseObject = { kind: 'ServiceAccount', namespace: 'team', name: 'leasehold-1', uid: 'uid-1' };

let server: AnsweringServer;
afterEach(() => {
  server.stop();
});

async function clusterThat(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
  token = 'token',
  options: { callTimeoutMs?: number } = {},
): Promise<Cluster> {
  server = await startAnsweringServer(answer);
  return directCluster(server, token, options);
}

function answering(status: number, body: unknown) {
  return (_request: IncomingMessage, response: ServerResponse) => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  };
}

const statusObject = (fields: object) => ({ kind: 'Status', apiVersion: 'v1', ...fields });
const removed = { kind: 'ServiceAccount', metadata: { name: object.name, uid: object.uid } };

describe('an object is gone', () => {
  test.each([
    ['success', 200, statusObject({ status: 'Success' })],
    ['the object as it was', 200, removed],
    ['that there is none', 404, notFound(SERVICE_ACCOUNTS, object.name)],
    ['that its uid is another', 409, otherUid(SERVICE_ACCOUNTS, object.name, { asked: 'uid-1', found: 'uid-2' })],
    [
      'in the transaction that its uid is another',
      409,
      otherUidInTransaction(SERVICE_ACCOUNTS, object.name, { asked: 'uid-1', found: 'uid-2' }),
    ],
  ])('where the API server says %s', async (_, status, body) => {
    const cluster = await clusterThat(answering(status, body));
    await expect(cluster.remove(object)).resolves.toBeUndefined();
  });
});

describe('an object is not gone', () => {
  test.each([
    ['200 and nothing', 200, {}, ClusterUnreachable],
    ['200 and a page', 200, '<html>', ClusterUnreachable],
    ['a Status that failed', 200, statusObject({ status: 'Failure' }), ClusterUnreachable],
    ['finalizers', 200, { ...removed, metadata: { ...removed.metadata, finalizers: ['f'] } }, ClusterNotDone],
    ['a bare 404', 404, '404 page not found', ClusterRefused],
    [
      'a 404 about something else',
      404,
      statusObject({ reason: 'NotFound', details: { name: 'team' } }),
      ClusterRefused,
    ],
    ['another conflict', 409, statusObject({ reason: 'Conflict', details: { name: object.name } }), ClusterRefused],
    ['a server error', 500, statusObject({ reason: 'InternalError' }), ClusterRefused],
  ])('where the answer is %s', async (_, status, body, error) => {
    const cluster = await clusterThat(answering(status, body));
    await expect(cluster.remove(object)).rejects.toBeInstanceOf(error);
  });
});

describe('a call is given up within its deadline', () => {
  test.each([
    ['nothing comes', () => undefined],
    ['the body never ends', (_request: IncomingMessage, response: ServerResponse) => void drip(response)],
  ])('where %s', async (_, answer) => {
    const cluster = await clusterThat(answer, 'token', { callTimeoutMs: CALL_TIMEOUT_MS });
    const call = cluster.readServiceAccount({ namespace: 'team', name: 'reader' });
    await expect(call).rejects.toThrow(`no answer from ${server.url} within ${CALL_TIMEOUT_MS} ms`);
  });
});

/** A byte now and then, until the other end has had enough. */
function drip(response: ServerResponse): void {
  response.writeHead(200);
  const timer = setInterval(() => response.write('x'), CALL_TIMEOUT_MS / 10);
  response.on('close', () => clearInterval(timer));
}

describe('a token that is sent back to us', () => {
  const opaque = 'opaque-'.repeat(60);
  test.each([
    ['in a page', 'not a Kubernetes Status', (token: string) => `${'x'.repeat(700)} Authorization: ${token}`],
    [
      'in a Status',
      'Bearer [redacted]',
      (token: string) => JSON.stringify(statusObject({ message: `${'x'.repeat(700)} ${token}` })),
    ],
  ])('%s is not in the error, whole or in part', async (_, told, bodyWith) => {
    const cluster = await clusterThat((request, response) => {
      response.writeHead(400).end(bodyWith(request.headers.authorization ?? ''));
    }, opaque);
    const error = await cluster.readServiceAccount({ namespace: 'team', name: 'reader' }).catch((caught) => caught);

    expect(error).toBeInstanceOf(ClusterRefused);
    expect(error.message).toContain(told);
    expect(error.message).not.toContain('opaque');
  });
});

test('an answer that repeats the cluster token is none, and shows it nowhere', async () => {
  const token = 'an-opaque-token-of-the-cluster';
  const body = { ...removed, metadata: { ...removed.metadata, finalizers: [token] } };
  const cluster = await clusterThat(answering(200, body), token);
  const error = await cluster.remove(object).catch((caught) => caught);
  expect(error).toBeInstanceOf(ClusterUnreachable);
  expect(String(error)).not.toContain(token);
});

test('a long message is cut: it goes into headers', async () => {
  const cluster = await clusterThat(answering(403, statusObject({ message: 'no '.repeat(10_000) })));
  const error = await cluster.readServiceAccount({ namespace: 'team', name: 'reader' }).catch((caught) => caught);
  expect(error.message.length).toBeLessThan(1200);
});
