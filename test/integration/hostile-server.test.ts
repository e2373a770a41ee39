import { randomUUID } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { parseJson } from '../../src/shared/domain/parse-json.ts';
import { LIST_ACCEPT } from '../../src/shared/kubernetes/metadata-page.ts';
import { type AnsweringServer, startAnsweringServer } from '../support/answering-server.ts';
import { makeCa } from '../support/certificates.ts';
import { type GatewaySite, makeGatewaySite } from '../support/gateway-site.ts';
import { type LeaseholdProcess, spawnLeasehold } from '../support/leasehold-process.ts';
import { answersIn, exchange, requestText } from '../support/raw-exchange.ts';
import { type Relay, startRelay } from '../support/relay.ts';

// A server that was taken over has the stream of an agent, and writes on its channels what it likes. The agent runs as a
// process; what reaches its API server is recorded there.

const OWN_TOKEN = 'the-agents-own-token';
const OURS = `leasehold-${randomUUID()}`;
const NAMESPACE = '/api/v1/namespaces/team-a';
const ACCOUNTS = `${NAMESPACE}/serviceaccounts`;
const SECRETS = `${NAMESPACE}/secrets`;
const BINDINGS = '/apis/rbac.authorization.k8s.io/v1/namespaces/team-a/rolebindings';
const PAGE = 'labelSelector=app.kubernetes.io%2Fmanaged-by%3Dleasehold%2Cleasehold.dev%2Finstallation%3Dprod&limit=500';
const JSON_HEADERS = ['Accept: application/json', 'Content-Type: application/json'];
const ACCEPT = ['Accept: application/json'];

interface Recorded {
  method: string | undefined;
  url: string | undefined;
  headers: IncomingHttpHeaders;
  body: string;
}

const recorded: Recorded[] = [];
let answer = { status: 200, headers: {}, body: '{}' };
let apiServer: AnsweringServer;
let relay: Relay;
let site: GatewaySite;
let agent: LeaseholdProcess;

beforeAll(async () => {
  const ca = await makeCa();
  apiServer = await startAnsweringServer(async (request, response) => {
    const { method, url, headers } = request;
    recorded.push({ method, url, headers, body: await text(request) });
    response.writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers }).end(answer.body);
  });
  relay = await startRelay(await ca.issue());
  site = await makeGatewaySite({
    servers: relay.address,
    serverCaPem: ca.caPem,
    enrolmentToken: 'once',
    apiServer,
    token: OWN_TOKEN,
  });
  agent = spawnLeasehold('gateway', site.environment);
  await relay.attached();
});

afterEach(() => {
  recorded.length = 0;
  answer = { status: 200, headers: {}, body: '{}' };
});

afterAll(async () => {
  await agent.stop();
  relay.stop();
  apiServer.stop();
  await site.remove();
});

async function openDoor() {
  const [attached] = await relay.attached();
  if (!attached) {
    throw new Error('no agent');
  }
  return attached.multiplexer.open({ kind: 'api-server' }, { timeoutMs: 5_000 });
}

const send = async (bytes: string) => exchange(await openDoor(), bytes);

/** What reaches the API server, once an allowed call that came after has reached it. */
async function reached(): Promise<(string | undefined)[]> {
  await send(requestText('GET /version HTTP/1.1', [...ACCEPT, 'Connection: close']));
  expect(recorded.at(-1)).toMatchObject({ url: '/version' });
  return recorded.slice(0, -1).map(({ url }) => url);
}

const account = (fields: object = {}) => ({
  apiVersion: 'v1',
  kind: 'ServiceAccount',
  metadata: { name: OURS },
  automountServiceAccountToken: false,
  ...fields,
});
const secret = (fields: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: OURS },
  type: 'Opaque',
  immutable: true,
  ...fields,
});
const ourSubject = { kind: 'ServiceAccount', namespace: 'team-a', name: OURS };
const binding = (subject: object = ourSubject) => ({
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind: 'RoleBinding',
  metadata: { name: OURS },
  roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' },
  subjects: [subject],
});
const deletion = { apiVersion: 'v1', kind: 'DeleteOptions', propagationPolicy: 'Background' };
const tokenRequest = {
  apiVersion: 'authentication.k8s.io/v1',
  kind: 'TokenRequest',
  spec: { audiences: [], expirationSeconds: 600 },
};

type Case = [what: string, firstLine: string, headers?: string[], body?: object | string];

describe('what the allowlist has', () => {
  const review = {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SelfSubjectAccessReview',
    spec: { resourceAttributes: { verb: 'create', group: '', resource: 'secrets' } },
  };
  test.each<Case>([
    ['the version', 'GET /version HTTP/1.1', ACCEPT],
    ['an account', `GET ${ACCOUNTS}/deployer HTTP/1.1`, ACCEPT],
    [
      'a role, also with a colon in its name',
      'GET /apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Anode-x HTTP/1.1',
      ACCEPT,
    ],
    ['a list of metadata', `GET ${SECRETS}?${PAGE} HTTP/1.1`, [`Accept: ${LIST_ACCEPT}`]],
    ['a new account', `POST ${ACCOUNTS} HTTP/1.1`, JSON_HEADERS, account()],
    ['a token', `POST ${ACCOUNTS}/deployer/token HTTP/1.1`, JSON_HEADERS, tokenRequest],
    ['a new Secret', `POST ${SECRETS} HTTP/1.1`, JSON_HEADERS, secret()],
    ['a new binding', `POST ${BINDINGS} HTTP/1.1`, JSON_HEADERS, binding()],
    ['a rehearsed binding', `POST ${BINDINGS}?dryRun=All HTTP/1.1`, JSON_HEADERS, binding()],
    ['a removal', `DELETE ${SECRETS}/${OURS} HTTP/1.1`, JSON_HEADERS, deletion],
    ['a question', 'POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews HTTP/1.1', JSON_HEADERS, review],
  ])('%s goes on, with the agent’s token and nothing foreign', async (_what, firstLine, headers = [], body) => {
    const foreign = [
      'Authorization: Bearer of-the-server',
      'Impersonate-User: system:admin',
      'Impersonate-Group: system:masters',
      'X-Remote-User: admin',
      'X-Forwarded-For: 10.0.0.1',
      'Cookie: a=b',
      'User-Agent: hostile',
      'Connection: close',
    ];
    answer.body = '{"kind":"Anything"}';
    const answers = answersIn(await send(requestText(firstLine, [...headers, ...foreign], body)));
    expect(answers).toMatchObject([{ status: 200, body: { kind: 'Anything' } }]);

    const [method, url] = firstLine.split(' ');
    const accept = headers[0]?.replace('Accept: ', '');
    const hasBody = body !== undefined;
    expect(recorded).toHaveLength(1);
    expect(recorded[0]).toMatchObject({ method, url });
    expect(parseJson(recorded[0]?.body ?? '')).toEqual(body);
    expect(recorded[0]?.headers).toEqual({
      host: new URL(apiServer.url).host,
      connection: 'keep-alive',
      authorization: `Bearer ${OWN_TOKEN}`,
      accept,
      'user-agent': 'leasehold-gateway',
      ...(hasBody ? { 'content-type': 'application/json', 'content-length': `${JSON.stringify(body).length}` } : {}),
    });
  });
});

test.each<Case>([
  ['another verb', `PATCH ${ACCOUNTS}/${OURS} HTTP/1.1`, JSON_HEADERS, account()],
  ['another verb', `PUT ${SECRETS}/${OURS} HTTP/1.1`, JSON_HEADERS, secret()],
  ['all of a kind removed', `DELETE ${SECRETS} HTTP/1.1`, JSON_HEADERS, deletion],
  ['roles', 'GET /apis/rbac.authorization.k8s.io/v1/clusterroles HTTP/1.1', ACCEPT],
  ['a role by a path in its name', 'GET /apis/rbac.authorization.k8s.io/v1/clusterroles/%2E%2E%2Fx HTTP/1.1', ACCEPT],
  ['a role by another writing', 'GET /apis/rbac.authorization.k8s.io/v1/clusterroles/system:x HTTP/1.1', ACCEPT],
  ['pods', `GET ${NAMESPACE}/pods HTTP/1.1`, ACCEPT],
  ['a command in a pod', `POST ${NAMESPACE}/pods/web/exec?command=sh HTTP/1.1`, JSON_HEADERS, {}],
  ['a Secret', `GET ${SECRETS}/${OURS} HTTP/1.1`, ACCEPT],
  ['Secrets with their data', `GET ${SECRETS}?${PAGE} HTTP/1.1`, ACCEPT],
  [
    'Secrets with their data',
    `GET ${SECRETS}?${PAGE} HTTP/1.1`,
    [`Accept: ${LIST_ACCEPT}`, 'Accept: application/json'],
  ],
  ['metadata of foreign Secrets', `GET ${SECRETS}?limit=500 HTTP/1.1`, [`Accept: ${LIST_ACCEPT}`]],
  ['a watch', `GET ${SECRETS}?${PAGE}&watch=1 HTTP/1.1`, [`Accept: ${LIST_ACCEPT}`]],
  ['a parameter twice', `GET ${SECRETS}?${PAGE}&limit=9 HTTP/1.1`, [`Accept: ${LIST_ACCEPT}`]],
  [
    'a token Secret',
    `POST ${SECRETS} HTTP/1.1`,
    JSON_HEADERS,
    secret({
      type: 'kubernetes.io/service-account-token',
      metadata: { name: OURS, annotations: { 'kubernetes.io/service-account.name': 'admin' } },
    }),
  ],
  ['a Secret with data', `POST ${SECRETS} HTTP/1.1`, JSON_HEADERS, secret({ stringData: { a: 'b' } })],
  ['a foreign name', `POST ${ACCOUNTS} HTTP/1.1`, JSON_HEADERS, account({ metadata: { name: 'admin' } })],
  ['a foreign object removed', `DELETE ${SECRETS}/database HTTP/1.1`, JSON_HEADERS, deletion],
  ['a user bound', `POST ${BINDINGS} HTTP/1.1`, JSON_HEADERS, binding({ kind: 'User', name: 'eve' })],
  ['a group bound', `POST ${BINDINGS} HTTP/1.1`, JSON_HEADERS, binding({ kind: 'Group', name: 'system:masters' })],
  ['a foreign account bound', `POST ${BINDINGS} HTTP/1.1`, JSON_HEADERS, binding({ ...ourSubject, name: 'default' })],
  ['a parent, encoded', `GET ${ACCOUNTS}/%2e%2e/pods HTTP/1.1`, ACCEPT],
  ['a parent, encoded', `DELETE ${SECRETS}/${OURS}%2f..%2fdatabase HTTP/1.1`, JSON_HEADERS, deletion],
  ['a parent', `GET ${ACCOUNTS}/../pods HTTP/1.1`, ACCEPT],
  ['a double slash', `GET /${ACCOUNTS}/deployer HTTP/1.1`, ACCEPT],
  ['a zero byte', `GET ${ACCOUNTS}/a%00 HTTP/1.1`, ACCEPT],
  ['an absolute URL', `GET https://10.0.0.1:6443/version HTTP/1.1`, ACCEPT],
  ['an absolute URL of the API server’s', `GET https://kubernetes.default.svc/version HTTP/1.1`, ACCEPT],
  ['an asterisk', 'OPTIONS * HTTP/1.1', ACCEPT],
  ['an upgrade', 'GET /version HTTP/1.1', [...ACCEPT, 'Connection: Upgrade', 'Upgrade: websocket']],
  [
    'an upgrade',
    'GET /version HTTP/1.1',
    [...ACCEPT, 'Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AA'],
  ],
  ['chunks', `POST ${ACCOUNTS} HTTP/1.1`, [...JSON_HEADERS, 'Transfer-Encoding: chunked'], '0\r\n\r\n'],
  ['another content type', `POST ${ACCOUNTS} HTTP/1.1`, [...ACCEPT, 'Content-Type: application/yaml'], account()],
  ['no body', `POST ${ACCOUNTS} HTTP/1.1`, JSON_HEADERS],
  [
    'a body too large',
    `POST ${ACCOUNTS} HTTP/1.1`,
    JSON_HEADERS,
    `${JSON.stringify(account())}${' '.repeat(256 * 1024)}`,
  ],
  ['a body without end', `POST ${ACCOUNTS} HTTP/1.1`, [...JSON_HEADERS, 'Content-Length: 1000000000000'], 'x'],
])('refused, and nothing of it goes on: %s', async (_what, firstLine, headers, body) => {
  const answers = answersIn(await send(requestText(firstLine, headers, body)));
  expect(answers).toHaveLength(1);
  expect(answers[0]).toMatchObject({
    status: 403,
    body: {
      kind: 'Status',
      status: 'Failure',
      reason: 'Forbidden',
      code: 403,
      message: expect.stringContaining("the gateway's allowlist refused it"),
    },
  });
  // With a name in details, Leasehold could take it for the API server's word that an object is gone.
  expect(answers[0]?.body).not.toHaveProperty('details');
  expect(await reached()).toEqual([]);
});

test.each<Case>([
  ['a tunnel', 'CONNECT 10.0.0.1:443 HTTP/1.1', ACCEPT],
  [
    'a length and chunks',
    `POST ${ACCOUNTS} HTTP/1.1`,
    [...JSON_HEADERS, 'Content-Length: 4', 'Transfer-Encoding: chunked'],
    '0\r\n\r\n',
  ],
  [
    'chunks in another writing',
    `POST ${ACCOUNTS} HTTP/1.1`,
    [...JSON_HEADERS, 'Transfer-Encoding: xchunked'],
    '0\r\n\r\n',
  ],
  ['two lengths', `POST ${ACCOUNTS} HTTP/1.1`, [...JSON_HEADERS, 'Content-Length: 4', 'Content-Length: 5'], '12345'],
  ['a length that is none', `POST ${ACCOUNTS} HTTP/1.1`, [...JSON_HEADERS, 'Content-Length: +4'], '1234'],
  ['a blank before the colon', 'GET /version HTTP/1.1', [...ACCEPT, 'Impersonate-User : admin']],
  ['a bare carriage return', 'GET /version HTTP/1.1', [...ACCEPT, 'X: a\rImpersonate-User: admin']],
  ['a zero byte in a header', 'GET /version HTTP/1.1', [...ACCEPT, 'X: a\0b']],
  ['a folded header', 'GET /version HTTP/1.1', [...ACCEPT, 'X: a\r\n Impersonate-User: admin']],
  ['a folded Accept', `GET ${SECRETS}?${PAGE} HTTP/1.1`, [`Accept: ${LIST_ACCEPT},\r\n application/json`]],
  ['a blank in the target', `GET ${ACCOUNTS}/a b HTTP/1.1`, ACCEPT],
  ['HTTP/2', 'PRI * HTTP/2.0', []],
  ['HTTP/0.9', 'GET /version', []],
  ['no HTTP at all', '\x16\x03\x01\x02\x00', []],
  ['huge headers', 'GET /version HTTP/1.1', [...ACCEPT, `X: ${'x'.repeat(100_000)}`]],
  ['a huge target', `GET /version?${'x'.repeat(100_000)} HTTP/1.1`, ACCEPT],
])('broken off, and nothing of it goes on: %s', async (_what, firstLine, headers, body) => {
  expect(answersIn(await send(requestText(firstLine, headers, body))).filter(({ status }) => status < 400)).toEqual([]);
  expect(await reached()).toEqual([]);
});

test('a header that CR and LF smuggle in goes no further', async () => {
  const injected = 'X: a\r\nImpersonate-User: admin';
  await send(requestText('GET /version HTTP/1.1', [...ACCEPT, injected, 'Connection: close']));
  expect(recorded).toHaveLength(1);
  expect(Object.keys(recorded[0]?.headers ?? {})).not.toContain('impersonate-user');
});

test('a second request behind an allowed one is held against the allowlist, too', async () => {
  const good = requestText(`GET ${ACCOUNTS}/deployer HTTP/1.1`, ACCEPT);
  const bad = requestText(`GET ${SECRETS}/database HTTP/1.1`, ACCEPT);
  const answers = answersIn(await send(good + bad));
  expect(answers.map(({ status }) => status)).toEqual([200, 403]);
  expect(await reached()).toEqual([`${ACCOUNTS}/deployer`]);
});

test('a request hidden in the body of another is only a body', async () => {
  const hidden = requestText(`GET ${SECRETS}/database HTTP/1.1`, ACCEPT);
  const answers = answersIn(await send(requestText(`POST ${ACCOUNTS} HTTP/1.1`, JSON_HEADERS, hidden)));
  expect(answers.map(({ status }) => status)).toEqual([403]);
  expect(await reached()).toEqual([]);
});

test('a redirect is not followed, and where it leads is not told', async () => {
  answer = { status: 307, headers: { location: `${SECRETS}/database` }, body: '{"kind":"Status"}' };
  const answers = answersIn(await send(requestText('GET /version HTTP/1.1', [...ACCEPT, 'Connection: close'])));
  expect(answers).toMatchObject([{ status: 307, body: { kind: 'Status' } }]);
  expect(answers[0]?.headers.toLowerCase()).not.toContain('location');
  expect(recorded.map(({ url }) => url)).toEqual(['/version']);
});

test('of an answer only what Leasehold reads comes back', async () => {
  const headers = { 'retry-after': '7', 'set-cookie': 'a=b', 'audit-id': 'c', 'www-authenticate': 'Bearer' };
  answer = { status: 429, headers, body: '{"kind":"Status"}' };
  const [first] = answersIn(await send(requestText('GET /version HTTP/1.1', [...ACCEPT, 'Connection: close'])));
  const names = first?.headers
    .split('\r\n')
    .slice(1)
    .map((line) => line.split(':')[0]?.toLowerCase());
  expect(names?.toSorted()).toEqual(['connection', 'content-length', 'content-type', 'date', 'retry-after']);
});

test.each([
  ['the metadata service', '169.254.169.254:80'],
  ['the agent’s own machine', '127.0.0.1:22'],
  ['its name', 'localhost:443'],
  ['nothing', ''],
  ['no port', '127.0.0.1'],
])('%s is not dialled', async (_what, address) => {
  await expect(dial(address)).rejects.toMatchObject({ name: 'ChannelNotOpened', reason: 'refused' });
});

test.each<[string, (port: string) => string]>([
  ['a trailing dot', (port) => `127.0.0.1.:${port}`],
  ['a decimal address', (port) => `2130706433:${port}`],
  ['a hexadecimal address', (port) => `0x7f000001:${port}`],
  ['a short address', (port) => `127.1:${port}`],
  ['an address of IPv6', (port) => `[::ffff:127.0.0.1]:${port}`],
  ['a name for it', (port) => `localhost:${port}`],
  ['a blank', (port) => `127.0.0.1:${port} `],
  ['a URL', (port) => `https://127.0.0.1:${port}`],
])('the API server is not dialled by another writing of its address: %s', async (_what, write) => {
  await expect(dial(write(new URL(apiServer.url).port))).rejects.toMatchObject({ reason: 'refused' });
});

test('each refusal is told in the log once, and the agent’s token never', () => {
  const refusals = agent.logs.filter(({ msg }) => msg === 'refused a request');
  expect(refusals.length).toBeGreaterThan(40);
  expect(refusals.every(({ level }) => level === 40)).toBe(true);
  expect(JSON.stringify(agent.logs)).not.toContain(OWN_TOKEN);
});

async function dial(address: string) {
  const [attached] = await relay.attached();
  return attached?.multiplexer.open({ kind: 'address', address }, { timeoutMs: 5_000 });
}
