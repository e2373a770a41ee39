import type { OutgoingHttpHeaders } from 'node:http';
import { afterAll, describe, expect, test } from 'vitest';
import { ClusterRefused } from '../../src/shared/domain/cluster-error.ts';
import { KubernetesClusters } from '../../src/shared/kubernetes/kubernetes-clusters.ts';
import { noGateways } from '../fakes/no-gateways.ts';
import { startAnsweringServer } from '../support/answering-server.ts';
import { testEgress } from '../support/egress.ts';
import { keepLog } from '../support/keep-log.ts';
import { PATIENT_LIMITS } from '../support/patience.ts';
import { asTenant } from '../support/tenant.ts';

// Who writes a config's URL chooses what is called, and must not read by it what any other service answers.

const CANARY = 'internal-canary-7c1f';
const ACCOUNT = { namespace: 'team', name: 'reader' };

let answer: { status: number; headers: OutgoingHttpHeaders; body: string };
const server = await startAnsweringServer((_request, response) =>
  response.writeHead(answer.status, answer.headers).end(answer.body),
);
const { log, lines } = keepLog();
const clusters = new KubernetesClusters({ connections: 4, ...PATIENT_LIMITS }, noGateways, testEgress, log);
afterAll(async () => {
  await clusters.close();
  server.stop();
});

let configs = 0;
/** The error of a call that is answered so, by a config that has not called before. */
function failureOn(status: number, body: string, headers: OutgoingHttpHeaders = {}): Promise<Error> {
  answer = { status, body, headers };
  configs += 1;
  return asTenant(clusters, `config-${configs}`, server)
    .readServiceAccount(ACCOUNT)
    .then(
      () => expect.fail('the call succeeded'),
      (error: Error) => error,
    );
}

/** All that may be told or logged of an error, with its causes. */
function textsOf(error: unknown): string {
  return error instanceof Error
    ? [error.message, JSON.stringify(error), error.stack, textsOf(error.cause)].join('\n')
    : (JSON.stringify(error) ?? '');
}

describe('an answer that is no Status is not shown', () => {
  const PAGE = `<html>${CANARY}</html>`;
  const type = (contentType: string) => ({ 'content-type': contentType });
  test.each<[string, number, string, OutgoingHttpHeaders]>([
    ['a page', 404, PAGE, type('text/html; charset=utf-8')],
    ['a page of a proxy', 502, PAGE, type('text/html')],
    ['text', 500, CANARY, type('text/plain')],
    ['text before the call is let in', 401, CANARY, type('text/plain')],
    ['text that denies', 403, `secrets is forbidden: ${CANARY}`, type('text/plain')],
    ['text that sounds like a webhook', 403, `admission webhook "w" denied the request: ${CANARY}`, {}],
    ['text that asks to wait', 429, CANARY, { 'retry-after': '1' }],
    ['JSON', 400, JSON.stringify({ message: CANARY }), type('application/json')],
    ['JSON of another kind', 400, JSON.stringify({ kind: CANARY, message: CANARY }), type('application/json')],
    ['a Status of another API', 400, JSON.stringify({ kind: 'Status', apiVersion: 'x/v1', message: CANARY }), {}],
    ['a list of Statuses', 400, JSON.stringify([{ kind: 'Status', apiVersion: 'v1', message: CANARY }]), {}],
    ['a content type that talks', 400, '', type(CANARY)],
    ['a content type that talks after a known one', 400, '', type(`text/html; ${CANARY}`)],
    ['a redirect', 302, '', { location: `https://${CANARY}.internal/` }],
    ['a challenge', 401, '', { 'www-authenticate': `Basic realm="${CANARY}"` }],
    ['a success that is no JSON', 200, CANARY, type('text/plain')],
    ['a success of another kind', 200, JSON.stringify({ kind: 'Status', metadata: { name: CANARY } }), {}],
    ['a success about another object', 200, JSON.stringify({ metadata: { name: CANARY } }), {}],
    ['a success that an API server does not know', 206, CANARY, {}],
  ])('%s (%i)', async (_, status, body, headers) => {
    const error = await failureOn(status, body, headers);
    expect(textsOf(error)).not.toContain(CANARY);
    if (status > 299) {
      expect(error).toBeInstanceOf(ClusterRefused);
      expect(error.message).toContain(`${status} the answer`);
      expect(error.message).toContain('is not a Kubernetes Status');
    }
    expect(lines.join('\n')).not.toContain(CANARY);
  });
});

test.each([
  ['text/html; charset=utf-8', 'the answer (text/html) is not'],
  ['TEXT/PLAIN', 'the answer (text/plain) is not'],
  ['application/octet-stream', 'the answer is not'],
])('of its content type %s it is told: %s', async (contentType, told) => {
  expect((await failureOn(400, 'a page', { 'content-type': contentType })).message).toContain(told);
});

test("a Status is an API server's word, and is shown", async () => {
  const body = {
    kind: 'Status',
    apiVersion: 'v1',
    code: 403,
    reason: 'Forbidden',
    message: 'User "a" cannot get this',
  };
  const error = await failureOn(403, JSON.stringify(body));
  expect(error.message).toContain('User "a" cannot get this');
  expect(error).toMatchObject({ reason: 'CLUSTER_FORBIDDEN' });
});

test.each([
  [401, 'CLUSTER_UNAUTHENTICATED'],
  [403, 'CLUSTER_FORBIDDEN'],
  [404, 'CLUSTER_REFUSED'],
  [429, 'CLUSTER_OVERLOADED'],
  [502, 'CLUSTER_BROKEN'],
])('a page with %i still means %s', async (status, reason) => {
  expect(await failureOn(status, '<html>')).toMatchObject({ reason });
});
