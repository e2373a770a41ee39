import type { V1Status } from '@kubernetes/client-node';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ClusterRefused } from '../../src/shared/domain/cluster-error.ts';
import { REASONS, type Reason } from '../../src/shared/domain/reasons.ts';
import { reasonOf } from '../../src/shared/domain/refusal.ts';
import { refusalIn } from '../../src/shared/kubernetes/refusal-in.ts';
import {
  deniedByPolicy,
  failure,
  forbidden,
  notFound,
  otherUid,
  ROLE_BINDINGS,
  SERVICE_ACCOUNTS,
} from '../support/api-server-words.ts';

const reasonIn = (status: number, body: V1Status | string, verb = 'create') =>
  reasonOf(
    {
      ...refusalIn(typeof body === 'string' ? body : JSON.stringify(body)),
      status,
      retryAfterMs: undefined,
    },
    verb,
  );

const NAME = 'leasehold-1';
const forbids = (why: string) => forbidden(SERVICE_ACCOUNTS, NAME, why);
const QUOTA = 'exceeded quota: q, requested: count/serviceaccounts=1, used: count/serviceaccounts=1, limited: 1';
const RBAC =
  'User "system:serviceaccount:a:b" cannot create resource "serviceaccounts" in API group "" in the namespace "t"';
const TERMINATING = 'unable to create new content in namespace team because it is being terminated';
const NAMESPACES = { group: '', resource: 'namespaces', kind: 'Namespace' };
const CLUSTER_ROLES = { group: 'rbac.authorization.k8s.io', resource: 'clusterroles', kind: 'ClusterRole' };
const exists = (message: string) => failure(409, 'AlreadyExists', message, { name: NAME, kind: 'serviceaccounts' });
const denial = (text: string) => `admission webhook "w.example.com" denied the request: ${text}`;
const calling = 'failed calling webhook "w.example.com": Post "https://w/": context deadline exceeded';

// Texts of kube-apiserver 1.20 and of 1.36.
test.each<[Reason, string, number, V1Status | string]>([
  ['CLUSTER_QUOTA_EXCEEDED', 'used up', 403, forbids(QUOTA)],
  ['CLUSTER_QUOTA_EXCEEDED', 'not counted yet', 403, forbids('status unknown for quota: q, resources: secrets')],
  ['CLUSTER_QUOTA_EXCEEDED', 'wants a limit', 403, forbids('failed quota: q: must specify limits.cpu')],
  ['CLUSTER_QUOTA_EXCEEDED', 'wants a quota', 403, forbids('insufficient quota to match these scopes: [{x}]')],
  ['CLUSTER_WEBHOOK_DENIED', '1.20', 403, failure(403, 'Forbidden', denial('no'))],
  ['CLUSTER_WEBHOOK_DENIED', 'now', 403, forbids(denial('no'))],
  [
    'CLUSTER_WEBHOOK_DENIED',
    'with 500',
    500,
    failure(500, 'InternalError', `Internal error occurred: ${denial('no')}`),
  ],
  ['CLUSTER_WEBHOOK_DENIED', 'with 404', 404, { ...forbids(denial('not found')), code: 404, reason: 'NotFound' }],
  ['CLUSTER_WEBHOOK_DENIED', 'with 401', 401, { ...forbids(denial('who?')), code: 401, reason: 'Unauthorized' }],
  ['CLUSTER_WEBHOOK_DENIED', 'in words of a quota', 403, forbids(denial(QUOTA))],
  ['CLUSTER_WEBHOOK_DENIED', 'in words of RBAC', 403, forbids(denial(RBAC))],
  [
    'CLUSTER_WEBHOOK_DENIED',
    'without words',
    400,
    failure(400, '', 'admission webhook "w" denied the request without explanation'),
  ],
  ['CLUSTER_WEBHOOK_FAILED', 'timed out', 500, failure(500, 'InternalError', `Internal error occurred: ${calling}`)],
  ['CLUSTER_POLICY_DENIED', 'Invalid', 422, deniedByPolicy(SERVICE_ACCOUNTS, NAME)],
  ['CLUSTER_POLICY_DENIED', 'Forbidden', 403, deniedByPolicy(ROLE_BINDINGS, NAME, 'Forbidden', 403)],
  ['CLUSTER_POLICY_DENIED', 'Unauthorized', 401, deniedByPolicy(SERVICE_ACCOUNTS, NAME, 'Unauthorized', 401)],
  ['CLUSTER_POLICY_DENIED', 'too large', 413, deniedByPolicy(SERVICE_ACCOUNTS, NAME, 'RequestEntityTooLarge', 413)],
  ['CLUSTER_FORBIDDEN', 'RBAC', 403, forbidden(SERVICE_ACCOUNTS, '', RBAC)],
  [
    'CLUSTER_FORBIDDEN',
    'RBAC of OpenShift',
    403,
    failure(403, 'Forbidden', 'User "a" cannot create serviceaccounts in project "t"'),
  ],
  ['CLUSTER_FORBIDDEN', 'a page', 403, '<html>Forbidden</html>'],
  [
    'CLUSTER_ADMISSION_DENIED',
    'LimitRanger',
    403,
    forbids('minimum cpu usage per Container is 100m, but request is 1m'),
  ],
  ['CLUSTER_ADMISSION_DENIED', 'PodSecurity', 403, forbids('violates PodSecurity "restricted:latest": privileged')],
  [
    'CLUSTER_ROLE_NOT_GRANTABLE',
    'escalation',
    403,
    forbidden(
      ROLE_BINDINGS,
      NAME,
      'user "u" (groups=["g"]) is attempting to grant RBAC permissions not currently held:\n{x}',
    ),
  ],
  ['CLUSTER_ROLE_NOT_FOUND', 'of a binding', 404, notFound(CLUSTER_ROLES, 'view')],
  ['CLUSTER_NAMESPACE_TERMINATING', 'by its words', 403, forbids(TERMINATING)],
  [
    'CLUSTER_NAMESPACE_TERMINATING',
    'by its cause',
    403,
    { ...forbids('going away'), details: { causes: [{ reason: 'NamespaceTerminating', message: 'm' }] } },
  ],
  ['CLUSTER_NAMESPACE_NOT_FOUND', '404', 404, notFound(NAMESPACES, 'team')],
  ['CLUSTER_NOT_FOUND', 'the account', 404, notFound(SERVICE_ACCOUNTS, 'reader')],
  ['CLUSTER_REFUSED', 'a page for 404', 404, '404 page not found'],
  [
    'CLUSTER_REFUSED',
    'an API that is not there',
    404,
    failure(404, 'NotFound', 'the server could not find the requested resource', {}),
  ],
  ['CLUSTER_REFUSED', 'a redirect', 302, ''],
  [
    'CLUSTER_OBJECT_BEING_DELETED',
    '409',
    409,
    exists(`object is being deleted: serviceaccounts "${NAME}" already exists`),
  ],
  ['CLUSTER_NAME_TAKEN', '409', 409, exists(`serviceaccounts "${NAME}" already exists`)],
  ['CLUSTER_CONFLICT', 'of a uid', 409, otherUid(SERVICE_ACCOUNTS, NAME, { asked: 'a', found: 'b' })],
  [
    'CLUSTER_CONFLICT',
    'of a quota',
    409,
    failure(409, 'Conflict', 'Operation cannot be fulfilled on resourcequotas "q": the object has been modified'),
  ],
  ['CLUSTER_UNAUTHENTICATED', '401', 401, failure(401, 'Unauthorized', 'Unauthorized')],
  ['CLUSTER_OVERLOADED', '429', 429, failure(429, 'TooManyRequests', 'too many requests')],
  ['CLUSTER_BROKEN', '500', 500, failure(500, 'InternalError', 'etcdserver: request timed out')],
  ['CLUSTER_BROKEN', '503', 503, '<html>no backend</html>'],
  ['CLUSTER_BROKEN', 'that starts', 403, forbids('not yet ready to handle request')],
  ['CLUSTER_INVALID', '422', 422, failure(422, 'Invalid', 'ServiceAccount "x" is invalid: metadata.name: too long')],
])('%s: %s', (reason, _, status, body) => {
  expect(reasonIn(status, body)).toBe(reason);
});

test('a delete that is refused with somebody’s NotFound is about no object', () => {
  expect(reasonIn(404, notFound(SERVICE_ACCOUNTS, NAME), 'delete')).toBe('CLUSTER_REFUSED');
});

test('the error says what it is, in whose words, and what to do', () => {
  const call = { verb: 'create', apiGroup: '', resource: 'serviceaccounts', namespace: 'team' } as const;
  const refusal = { ...refusalIn(JSON.stringify(forbids(QUOTA))), status: 403, retryAfterMs: undefined };
  const [, meaning, advice] = REASONS.CLUSTER_QUOTA_EXCEEDED;
  expect(new ClusterRefused(call, refusal).message).toBe(
    `the cluster could not create serviceaccounts in namespace "team": ${meaning}: 403 serviceaccounts "${NAME}" is forbidden: ${QUOTA}; ${advice}`,
  );
});

test.each<[string, unknown]>([
  ['details that are none', { kind: 'Status', message: 'm', reason: 'r', details: null }],
  [
    'causes that are none',
    { kind: 'Status', message: 'm', reason: 'r', details: { causes: [1, null, { message: 2 }] } },
  ],
  [
    'a name that is none',
    { kind: 'Status', message: 'm', reason: 'r', details: { name: { a: 1 }, kind: 'k'.repeat(1e6) } },
  ],
  [
    'a million causes',
    { kind: 'Status', message: 'm', reason: 'r', details: { causes: Array(1e5).fill({ reason: 'x' }) } },
  ],
  ['words that are none', { kind: 'Status', message: 'm', reason: 'r', code: '404', details: { group: 7 } }],
])('a Status with %s is read as far as it makes sense, and within bounds', (_, body) => {
  const read = refusalIn(JSON.stringify(body));
  expect(read).toMatchObject({ message: 'm', reason: 'r', objectName: '' });
  expect(JSON.stringify(read).length).toBeLessThan(2_000);
});

test('whatever a cluster answers has a reason', () => {
  fc.assert(
    fc.property(fc.integer({ min: 300, max: 599 }), fc.string(), fc.string(), (status, message, kind) => {
      const body = JSON.stringify(failure(status, 'X', message, { kind, name: kind }));
      expect(Object.keys(REASONS)).toContain(reasonIn(status, body as never));
    }),
  );
});

test('a long text of a hostile cluster is judged in no time', () => {
  for (const text of [
    '"'.repeat(1e6),
    `x "${' is forbidden: '.repeat(1e5)}`,
    `User "${' cannot '.repeat(1e5)}`,
    'user "'.repeat(1e5),
  ]) {
    const before = performance.now();
    reasonOf(
      { status: 403, message: text.slice(0, 1000), reason: '', objectName: '', retryAfterMs: undefined },
      'create',
    );
    expect(performance.now() - before).toBeLessThan(1_000);
  }
});
