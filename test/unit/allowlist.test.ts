import { expect, test } from 'vitest';
import { type AllowedCall, admit, NotAllowed } from '../../src/gateway/allowlist.ts';
import { LIST_ACCEPT, OBJECT_ACCEPT } from '../../src/shared/kubernetes/metadata-page.ts';

const ID = '0193575a-7d1e-7aaa-8bbb-0123456789ab';
const OURS = `leasehold-${ID}`;
const ACCOUNTS = '/api/v1/namespaces/team-a/serviceaccounts';
const SECRETS = '/api/v1/namespaces/team-a/secrets';
const BINDINGS = '/apis/rbac.authorization.k8s.io/v1/namespaces/team-a/rolebindings';
const CLUSTER_BINDINGS = '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings';
const ROLES = '/apis/rbac.authorization.k8s.io/v1/namespaces/team-a/roles';
const CLUSTER_ROLES = '/apis/rbac.authorization.k8s.io/v1/clusterroles';
const REVIEWS = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews';
const SELECTOR = 'labelSelector=app.kubernetes.io%2Fmanaged-by%3Dleasehold%2Cleasehold.dev%2Finstallation%3Ddefault';

const OF_LEASE = `%2Cleasehold.dev%2Flease%3D${ID}%2Cleasehold.dev%2Fconfig%3Dpayments`;

const account = {
  apiVersion: 'v1',
  kind: 'ServiceAccount',
  metadata: { name: OURS },
  automountServiceAccountToken: false,
};
const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: OURS }, type: 'Opaque', immutable: true };
const subject = { kind: 'ServiceAccount', namespace: 'team-a', name: OURS };
const binding = {
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind: 'RoleBinding',
  metadata: { name: OURS },
  roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' },
  subjects: [subject],
};
const clusterBinding = { ...binding, kind: 'ClusterRoleBinding' };
const boundObjectRef = { apiVersion: 'v1', kind: 'Secret', name: OURS, uid: 'u-1' };
const tokenRequest = {
  apiVersion: 'authentication.k8s.io/v1',
  kind: 'TokenRequest',
  spec: { audiences: ['vault'], expirationSeconds: 600, boundObjectRef },
};
const deletion = { apiVersion: 'v1', kind: 'DeleteOptions', propagationPolicy: 'Background' };
const rehearsal = {
  ...binding,
  metadata: { name: `leasehold-check-${ID}` },
  subjects: [{ ...subject, name: `leasehold-check-${ID}` }],
};

type Request = [
  method: string,
  target: string,
  body?: object | string | undefined,
  headers?: { accept?: string; contentType?: string },
];

function ask([method, target, body, headers = {}]: Request): AllowedCall {
  const text = typeof body === 'string' ? body : body === undefined ? '' : JSON.stringify(body);
  const head = { method, target, accept: 'application/json', contentType: 'application/json', ...headers };
  return admit(head)(text);
}

const list = { accept: LIST_ACCEPT };
const metadata = { accept: OBJECT_ACCEPT };

test.each<Request>([
  ['GET', '/version'],
  ['POST', REVIEWS, review({ verb: 'create', group: '', resource: 'serviceaccounts', subresource: 'token' })],
  ['GET', '/api/v1/namespaces/team-a'],
  ['GET', `${ACCOUNTS}/deployer.v2`],
  ['GET', `${ACCOUNTS}?${SELECTOR}&limit=500`, undefined, list],
  ['GET', `${ACCOUNTS}?${SELECTOR}&limit=500&continue=eyJ2IjoibWV0YS5r`, undefined, list],
  ['GET', `${ACCOUNTS}?${SELECTOR}${OF_LEASE}&limit=500`, undefined, list],
  ['POST', ACCOUNTS, account],
  ['DELETE', `${ACCOUNTS}/${OURS}`, deletion],
  ['DELETE', `${ACCOUNTS}/${OURS}`, { ...deletion, preconditions: { uid: 'u-1' } }],
  ['POST', `${ACCOUNTS}/deployer/token`, tokenRequest],
  ['GET', `${SECRETS}?${SELECTOR}&limit=500`, undefined, list],
  ['GET', `${SECRETS}/${OURS}`, undefined, metadata],
  ['GET', `${BINDINGS}/${OURS}`, undefined, metadata],
  ['GET', `${CLUSTER_BINDINGS}/${OURS}`, undefined, metadata],
  ['POST', SECRETS, secret],
  ['DELETE', `${SECRETS}/${OURS}`, deletion],
  ['GET', `${BINDINGS}?${SELECTOR}&limit=500`, undefined, list],
  ['POST', BINDINGS, binding],
  ['POST', `${BINDINGS}?dryRun=All`, rehearsal],
  ['DELETE', `${BINDINGS}/${OURS}`, deletion],
  ['GET', `${CLUSTER_BINDINGS}?${SELECTOR}&limit=500`, undefined, list],
  ['POST', CLUSTER_BINDINGS, clusterBinding],
  ['POST', `${CLUSTER_BINDINGS}?dryRun=All`, { ...rehearsal, kind: 'ClusterRoleBinding' }],
  ['DELETE', `${CLUSTER_BINDINGS}/${OURS}`, deletion],
  ['GET', `${ROLES}/reader`],
  ['GET', `${ROLES}/Reader_of.pods`],
  ['GET', `${CLUSTER_ROLES}/view`],
  ['GET', `${CLUSTER_ROLES}/system%3Anode-x`],
  ['GET', `${CLUSTER_ROLES}/...`],
  ['GET', `${CLUSTER_ROLES}/a(b)!*'~`],
  ['GET', `${CLUSTER_ROLES}/a%3Fb%23c%5Cd%2Be%26f`],
  ['GET', `${CLUSTER_ROLES}/r%C3%B6le-%F0%9F%94%91`],
  ['GET', `${CLUSTER_ROLES}/${'%3A'.repeat(253)}`],
])('allowed as it is: %s %s', (...request) => {
  const [method, path, body, headers] = request;
  const call = ask(request);
  expect({ ...call, body: call.body && JSON.parse(call.body) }).toEqual({
    method,
    path,
    accept: headers?.accept ?? 'application/json',
    isList: path.includes('limit='),
    body,
  });
});

const TARGETS: [what: string, ...Request][] = [
  ['another verb', 'PATCH', `${ACCOUNTS}/${OURS}`, account],
  ['another verb', 'PUT', `${ACCOUNTS}/${OURS}`, account],
  ['another verb', 'HEAD', '/version'],
  ['another verb', 'OPTIONS', '/version'],
  ['a verb in lower case', 'get', '/version'],
  ['a verb of another row', 'DELETE', ACCOUNTS, deletion],
  ['a verb of another row', 'POST', '/version', {}],
  ['another resource', 'GET', '/api/v1/namespaces/team-a/pods'],
  ['another resource', 'POST', '/api/v1/namespaces/team-a/pods', {}],
  ['another resource', 'GET', '/api/v1/nodes'],
  ['another resource', 'GET', '/apis/apps/v1/namespaces/team-a/deployments'],
  ['another resource', 'POST', '/apis/rbac.authorization.k8s.io/v1/clusterroles', {}],
  ['another resource', 'POST', '/apis/authentication.k8s.io/v1/tokenreviews', {}],
  ['another subresource', 'POST', `${ACCOUNTS}/${OURS}/finalize`, {}],
  ['another version', 'GET', '/api/v1beta1/namespaces/team-a/serviceaccounts/deployer'],
  ['a group where there is none', 'GET', '/apis/core/v1/namespaces/team-a/serviceaccounts/deployer'],
  ['the root', 'GET', '/'],
  ['no target', 'GET', ''],
  ['all namespaces', 'GET', '/api/v1/namespaces'],
  ['a namespace with its status', 'GET', '/api/v1/namespaces/team-a/status'],
  ['the deletion of a namespace', 'DELETE', '/api/v1/namespaces/team-a', deletion],
  ['a Secret', 'GET', `${SECRETS}/${OURS}`],
  ['metadata of a foreign Secret', 'GET', `${SECRETS}/deployer`, undefined, metadata],
  ['a list of all namespaces', 'GET', `/api/v1/serviceaccounts?${SELECTOR}&limit=500`, undefined, list],
  ['a list with the objects', 'GET', `${SECRETS}?${SELECTOR}&limit=500`],
  [
    'a list as a table',
    'GET',
    `${SECRETS}?${SELECTOR}&limit=500`,
    undefined,
    { accept: 'application/json;as=Table;g=meta.k8s.io;v=v1' },
  ],
  [
    'a second Accept',
    'GET',
    `${SECRETS}?${SELECTOR}&limit=500`,
    undefined,
    { accept: `${LIST_ACCEPT}, application/json` },
  ],
  ['protobuf', 'GET', '/version', undefined, { accept: 'application/vnd.kubernetes.protobuf' }],
  ['metadata of foreign objects', 'GET', `${SECRETS}?limit=500`, undefined, list],
  ['metadata of foreign objects', 'GET', `${SECRETS}?labelSelector=&limit=500`, undefined, list],
  ['metadata of foreign objects', 'GET', `${SECRETS}?labelSelector=a%3Db&limit=500`, undefined, list],
  ['metadata of foreign objects', 'GET', `${SECRETS}?${SELECTOR}%2Ca%21%3Db&limit=500`, undefined, list],
  ['metadata of foreign objects', 'GET', `${SECRETS}?${SELECTOR}${OF_LEASE}%2Ca%21%3Db&limit=500`, undefined, list],
  ['a watch', 'GET', `${SECRETS}?${SELECTOR}&limit=500&watch=true`, undefined, list],
  ['a field selector', 'GET', `${SECRETS}?fieldSelector=a&${SELECTOR}&limit=500`, undefined, list],
  ['a list without end', 'GET', `${SECRETS}?${SELECTOR}&limit=0`, undefined, list],
  ['a parameter twice', 'GET', `${SECRETS}?${SELECTOR}&limit=500&limit=0`, undefined, list],
  ['a parameter twice, encoded', 'GET', `${SECRETS}?${SELECTOR}&limit=500&%6cimit=0`, undefined, list],
  ['needless encoding', 'GET', `${SECRETS}?${SELECTOR}&limit=%35`, undefined, list],
  ['a semicolon', 'GET', `${SECRETS}?${SELECTOR}&limit=500;watch=true`, undefined, list],
  ['a query where there is none', 'GET', '/version?pretty=true'],
  ['an empty query', 'GET', '/version?'],
  ['a fragment', 'GET', '/version#a'],
  ['a dry run of what is not rehearsed', 'POST', `${ACCOUNTS}?dryRun=All`, account],
  ['a dry run of another kind', 'POST', `${BINDINGS}?dryRun=None`, rehearsal],
  ['another parameter with it', 'POST', `${BINDINGS}?dryRun=All&fieldManager=x`, rehearsal],
  ['a foreign object', 'DELETE', `${ACCOUNTS}/deployer`, deletion],
  ['a foreign object', 'DELETE', `${SECRETS}/leasehold-token`, deletion],
  ['a foreign object', 'DELETE', `${CLUSTER_BINDINGS}/cluster-admin`, deletion],
  ['a name that goes on', 'DELETE', `${SECRETS}/${OURS}-2`, deletion],
  ['a name that goes on', 'DELETE', `${SECRETS}/${OURS}\n`, deletion],
  ['a name before it', 'DELETE', `${SECRETS}/x${OURS}`, deletion],
  ['upper case', 'DELETE', `${SECRETS}/${OURS.toUpperCase()}`, deletion],
  ['a rehearsed name', 'DELETE', `${BINDINGS}/leasehold-check-${ID}`, deletion],
  ['a parent', 'GET', `${ACCOUNTS}/../pods`],
  ['a parent, encoded', 'GET', `${ACCOUNTS}/%2e%2e`],
  ['a parent, encoded twice', 'GET', `${ACCOUNTS}/%252e%252e`],
  ['a parent as a namespace', 'GET', '/api/v1/namespaces/../serviceaccounts/deployer'],
  ['this folder', 'GET', `${ACCOUNTS}/.`],
  ['an encoded slash', 'GET', `${ACCOUNTS}/a%2Fb`],
  ['an encoded letter', 'GET', `${ACCOUNTS}/%64eployer`],
  ['an encoded query', 'GET', `${ACCOUNTS}/a%3fwatch`],
  ['a zero byte', 'GET', `${ACCOUNTS}/a%00`],
  ['a backslash', 'GET', `${ACCOUNTS}\\a`],
  ['a double slash', 'GET', '//version'],
  ['a double slash', 'GET', `/api/v1/namespaces/team-a//serviceaccounts/deployer`],
  ['a slash at the end', 'GET', '/version/'],
  ['a slash at the end', 'POST', `${ACCOUNTS}/`, account],
  ['an empty namespace', 'GET', '/api/v1/namespaces//serviceaccounts/deployer'],
  ['an absolute URL', 'GET', 'https://kubernetes.default.svc/version'],
  ['an absolute URL elsewhere', 'GET', 'http://169.254.169.254/version'],
  ['a URL without scheme', 'GET', '//169.254.169.254/version'],
  ['an asterisk', 'OPTIONS', '*'],
  ['an authority', 'CONNECT', '10.0.0.1:443'],
  ['a list of roles', 'GET', ROLES],
  ['a list of roles', 'GET', `${CLUSTER_ROLES}?limit=500`],
  ['a role that is written', 'PUT', `${CLUSTER_ROLES}/view`, {}],
  ['a role that is removed', 'DELETE', `${CLUSTER_ROLES}/view`, deletion],
  ['a role that is removed', 'DELETE', `${ROLES}/${OURS}`, deletion],
  ['no name of a role', 'GET', `${CLUSTER_ROLES}/`],
  ['roles of all namespaces', 'GET', '/apis/rbac.authorization.k8s.io/v1/roles/view'],
  ['a colon as it is', 'GET', `${CLUSTER_ROLES}/system:node`],
  ['a colon in small letters', 'GET', `${CLUSTER_ROLES}/system%3anode`],
  ['needless encoding', 'GET', `${CLUSTER_ROLES}/%76iew`],
  ['encoding twice', 'GET', `${CLUSTER_ROLES}/system%253Anode`],
  ['an encoded slash', 'GET', `${CLUSTER_ROLES}/view%2F..%2Fadmin`],
  ['a parent', 'GET', `${ROLES}/..`],
  ['a parent, encoded', 'GET', `${ROLES}/%2E%2E`],
  ['a parent, half encoded', 'GET', `${ROLES}/.%2E`],
  ['a parent and more', 'GET', `${ROLES}/../secrets`],
  ['this folder', 'GET', `${ROLES}/.`],
  ['a percent sign', 'GET', `${CLUSTER_ROLES}/a%25`],
  ['half of an encoding', 'GET', `${CLUSTER_ROLES}/a%3`],
  ['no UTF-8', 'GET', `${CLUSTER_ROLES}/a%FF`],
  ['UTF-8 that is too long', 'GET', `${CLUSTER_ROLES}/a%C0%AFb`],
  ['a blank', 'GET', `${CLUSTER_ROLES}/a%20b`],
  ['a line break', 'GET', `${CLUSTER_ROLES}/a%0D%0Ab`],
  ['a zero byte', 'GET', `${CLUSTER_ROLES}/a%00`],
  ['a name that is too long', 'GET', `${CLUSTER_ROLES}/${'a'.repeat(254)}`],
  ['a query', 'GET', `${CLUSTER_ROLES}/view?resourceVersion=0`],
  ['a subresource', 'GET', `${CLUSTER_ROLES}/view/status`],
  ['a colon in the name of an account', 'GET', `${ACCOUNTS}/a%3Ab`],
  ['a proxy of the API server', 'GET', '/api/v1/namespaces/team-a/services/web/proxy/'],
  ['another content type', 'POST', ACCOUNTS, account, { contentType: 'application/yaml' }],
  ['a charset', 'POST', ACCOUNTS, account, { contentType: 'application/json; charset=utf-16' }],
];

test.each(TARGETS)('refused: %s: %s %s', (_what, ...request) => {
  expect(() => ask(request)).toThrow(NotAllowed);
});

const BODIES: [what: string, ...Request][] = [
  ['none', 'POST', ACCOUNTS],
  ['no JSON', 'POST', ACCOUNTS, '{'],
  ['a list', 'POST', ACCOUNTS, [account]],
  ['one where there is none', 'GET', '/version', {}],
  ['another kind', 'POST', ACCOUNTS, { ...account, kind: 'Pod' }],
  ['another version', 'POST', ACCOUNTS, { ...account, apiVersion: 'v2' }],
  ['a foreign name', 'POST', ACCOUNTS, { ...account, metadata: { name: 'default' } }],
  ['a name that the server makes up', 'POST', ACCOUNTS, { ...account, metadata: { generateName: 'leasehold-' } }],
  ['another namespace', 'POST', ACCOUNTS, { ...account, metadata: { name: OURS, namespace: 'kube-system' } }],
  ['owners', 'POST', ACCOUNTS, { ...account, metadata: { name: OURS, ownerReferences: [] } }],
  ['finalizers', 'POST', ACCOUNTS, { ...account, metadata: { name: OURS, finalizers: ['a'] } }],
  ['a foreign label', 'POST', ACCOUNTS, { ...account, metadata: { name: OURS, labels: { app: 'web' } } }],
  ['a foreign annotation', 'POST', ACCOUNTS, { ...account, metadata: { name: OURS, annotations: { a: 'b' } } }],
  ['a token for pods', 'POST', ACCOUNTS, { ...account, automountServiceAccountToken: true }],
  ['secrets of an account', 'POST', ACCOUNTS, { ...account, secrets: [{ name: 'a' }] }],
  ['a rehearsed name', 'POST', BINDINGS, rehearsal],
  ['a rehearsed account', 'POST', BINDINGS, { ...binding, subjects: rehearsal.subjects }],
  ['a service account token', 'POST', SECRETS, { ...secret, type: 'kubernetes.io/service-account-token' }],
  ['no type', 'POST', SECRETS, { ...secret, type: undefined }],
  ['data', 'POST', SECRETS, { ...secret, data: {} }],
  ['data', 'POST', SECRETS, { ...secret, stringData: { a: 'b' } }],
  ['a field in other letters', 'POST', SECRETS, { ...secret, Type: 'kubernetes.io/service-account-token' }],
  ['a user', 'POST', BINDINGS, { ...binding, subjects: [{ ...subject, kind: 'User' }] }],
  ['a group', 'POST', BINDINGS, { ...binding, subjects: [{ kind: 'Group', name: 'system:authenticated' }] }],
  ['a foreign account', 'POST', BINDINGS, { ...binding, subjects: [{ ...subject, name: 'default' }] }],
  ['an account elsewhere', 'POST', BINDINGS, { ...binding, subjects: [{ ...subject, namespace: 'team-b' }] }],
  [
    'an account elsewhere in a rehearsal',
    'POST',
    `${BINDINGS}?dryRun=All`,
    { ...rehearsal, subjects: [{ ...subject, namespace: 'team-b' }] },
  ],
  ['a second account', 'POST', BINDINGS, { ...binding, subjects: [subject, { ...subject, name: 'default' }] }],
  ['nobody', 'POST', BINDINGS, { ...binding, subjects: [] }],
  ['another kind of binding', 'POST', CLUSTER_BINDINGS, binding],
  ['another kind of role', 'POST', BINDINGS, { ...binding, roleRef: { ...binding.roleRef, kind: 'Node' } }],
  [
    'a foreign account in a rehearsal',
    'POST',
    `${BINDINGS}?dryRun=All`,
    { ...rehearsal, subjects: [{ ...subject, name: 'default' }] },
  ],
  [
    'a foreign name in a rehearsal',
    'POST',
    `${BINDINGS}?dryRun=All`,
    { ...rehearsal, metadata: { name: 'cluster-admin' } },
  ],
  [
    'a token bound to a pod',
    'POST',
    `${ACCOUNTS}/a/token`,
    { ...tokenRequest, spec: { ...tokenRequest.spec, boundObjectRef: { ...boundObjectRef, kind: 'Pod' } } },
  ],
  [
    'a token bound to a foreign Secret',
    'POST',
    `${ACCOUNTS}/a/token`,
    { ...tokenRequest, spec: { ...tokenRequest.spec, boundObjectRef: { ...boundObjectRef, name: 'a' } } },
  ],
  ['a token without an end', 'POST', `${ACCOUNTS}/a/token`, { ...tokenRequest, spec: { audiences: [] } }],
  ['a deletion that leaves orphans', 'DELETE', `${SECRETS}/${OURS}`, { ...deletion, propagationPolicy: 'Orphan' }],
  ['a deletion after a grace', 'DELETE', `${SECRETS}/${OURS}`, { ...deletion, gracePeriodSeconds: 0 }],
  ['no options', 'DELETE', `${SECRETS}/${OURS}`],
  ['a review of somebody else', 'POST', REVIEWS, { ...review({ verb: 'get', group: '' }), user: 'a' }],
  [
    'a review of a URL',
    'POST',
    REVIEWS,
    { ...review({ verb: 'get', group: '' }), spec: { nonResourceAttributes: {} } },
  ],
];

test.each(BODIES)('refused body: %s: %s %s', (_what, ...request) => {
  expect(() => ask(request)).toThrow(NotAllowed);
});

test('what is said about a body is short, whatever it has', () => {
  const asked = () => ask(['POST', SECRETS, { ...secret, ['x'.repeat(100_000)]: 1 }]);
  expect(asked).toThrow(/^its body: .{1,300}$/);
});

test('a body goes on as it was understood, not as it was written', () => {
  const text = JSON.stringify(secret).replace('{', '{"type":"kubernetes.io/service-account-token",');
  expect(JSON.parse(ask(['POST', SECRETS, text]).body ?? '')).toEqual(secret);
  expect(ask(['POST', SECRETS, text]).body).not.toContain('service-account-token');
});

function review(resourceAttributes: object): object {
  return {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SelfSubjectAccessReview',
    spec: { resourceAttributes },
  };
}
