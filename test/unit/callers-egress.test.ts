import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { Callers } from '../../src/server/authentication/callers.ts';
import { Secret } from '../../src/shared/domain/secret.ts';
import { AllowedNetworks } from '../../src/shared/kubernetes/egress/allowed-networks.ts';
import { EgressGuard } from '../../src/shared/kubernetes/egress/egress-guard.ts';
import { createLogger } from '../../src/shared/telemetry/logger.ts';
import { makeTempFolder } from '../servers/temp-folder.ts';
import { type AnsweringServer, startAnsweringServer } from '../support/answering-server.ts';
import { makeCa } from '../support/certificates.ts';
import { makeTokenIssuer, type TokenIssuer } from '../support/token-issuer.ts';

// Where servers of issuers and clusters are asked: their URLs are an operator's word, but a discovery document names the
// URL of the keys, and DNS the address of each.

const METADATA = '169.254.169.254';
const PRIVATE = '10.0.0.1';
const BODY = 'root:x:0:0:what-is-behind-that-url';

const folder = await makeTempFolder('callers-egress');
const ca = await makeCa();
await writeFile(join(folder.path, 'ca.pem'), ca.caPem);
await writeFile(join(folder.path, 'reviewer.token'), 'reviewer');
afterAll(() => folder.remove());

let server: AnsweringServer;
let issuer: TokenIssuer;
let port: string;
let asked: string[];
let keys: () => string;
let keysUrl: () => string;
const opened: Callers[] = [];
beforeAll(async () => {
  const answers: Record<string, () => string> = {
    '/.well-known/openid-configuration': () => JSON.stringify({ issuer: issuer.issuer, jwks_uri: keysUrl() }),
    '/keys': () => keys(),
    '/apis/authentication.k8s.io/v1/tokenreviews': () =>
      JSON.stringify({
        status: { authenticated: true, user: { username: 'system:serviceaccount:a:b' }, audiences: ['leasehold'] },
      }),
  };
  server = await startAnsweringServer(
    ({ url = '' }, response) => {
      asked.push(url);
      response.end(answers[url]?.() ?? '');
    },
    await ca.issue(['localhost', '127.0.0.1']),
  );
  port = new URL(server.url).port;
  issuer = makeTokenIssuer(server.url, 'RS256');
});
beforeEach(() => {
  asked = [];
  keys = () => JSON.stringify(issuer.jwks);
  keysUrl = () => `https://localhost:${port}/keys`;
});
afterEach(() => {
  for (const callers of opened.splice(0)) {
    callers.close();
  }
});
afterAll(() => server.stop());

/** Whom a token of the issuer is of, where names lead to `addresses` and `allowed` networks may be called. */
async function authenticateBy(file: object, addresses: string[], allowed = '127.0.0.0/8') {
  const path = join(folder.path, 'callers.yaml');
  await writeFile(path, stringify(file));
  const lines: string[] = [];
  const log = createLogger('test', 'info', { write: (line: string) => void lines.push(line) });
  const resolve = async () => addresses.map((address) => ({ address, family: 4 }));
  const callers = await Callers.open(path, log, new EgressGuard(AllowedNetworks.parse(allowed), resolve));
  opened.push(callers);
  const bearer = new Secret(await issuer.token({ claims: { sub: 'system:serviceaccount:a:b' } }));
  const answer = await callers.authenticate({ bearer, now: Date.now() }).then(
    ({ kind }) => ({ outcome: kind, message: '' }),
    ({ reason, message }: { reason: string; message: string }) => ({ outcome: reason, message }),
  );
  return { ...answer, log: lines.join('') };
}

const jwtBy = (jwks: object) => ({
  jwt: [{ issuer: issuer.issuer, audiences: ['leasehold'], jwks: { ...jwks, caFile: 'ca.pem' } }],
});
const cluster = (how: object) => ({
  clusters: [{ name: 'prod', issuer: issuer.issuer, audiences: ['leasehold'], ...how }],
});
const tokenReview = (host: string) =>
  cluster({ tokenReview: { url: `https://${host}:${port}`, caFile: 'ca.pem', tokenFile: 'reviewer.token' } });

const WAYS: [string, (host: string) => object][] = [
  ['the URL of keys', (host) => jwtBy({ url: `https://${host}:${port}/keys` })],
  [
    'the URL of keys of a cluster',
    (host) => cluster({ jwks: { url: `https://${host}:${port}/keys`, caFile: 'ca.pem' } }),
  ],
  ['a TokenReview', tokenReview],
];

test.each(WAYS)('%s is asked where the networks allow it', async (_name, file) => {
  expect((await authenticateBy(file('localhost'), ['127.0.0.1'])).outcome).toMatch(/^(jwt|service-account)$/);
});

test.each<[string, (host: string) => object]>([
  ...WAYS,
  ['the URL of keys of a cluster in IPv6', () => cluster({ jwks: { url: `https://[::1]:${port}/keys` } })],
])('the file is refused where %s has an address that is not allowed', async (_name, file) => {
  await expect(authenticateBy(file('127.0.0.1'), [], '')).rejects.toThrow(
    /a loopback address, which LEASEHOLD_ALLOWED_NETWORKS does not hold/,
  );
  expect(asked).toEqual([]);
});

test.each(WAYS)(
  '%s is not asked where its name leads to an address that is not allowed; log and caller hear of the setting',
  async (_name, file) => {
    const { outcome, message, log } = await authenticateBy(file('localhost'), [PRIVATE], '');
    expect(outcome).toBe('ISSUER_UNREACHABLE');
    expect(message).toMatch(
      /may not call the (issuer|cluster) of this token: .* LEASEHOLD_ALLOWED_NETWORKS, or correct/,
    );
    expect(message).not.toContain(PRIVATE);
    expect(asked).toEqual([]);
    expect(log).toContain('cannot be fetched: the server may not call its address');
    expect(log).toContain(
      `localhost leads to ${PRIVATE}, a private address, which LEASEHOLD_ALLOWED_NETWORKS does not hold: add its network`,
    );
  },
);

test.each(WAYS)('%s is not asked where its name leads to what is never called', async (_name, file) => {
  for (const addresses of [[METADATA], ['127.0.0.1', METADATA], [PRIVATE]]) {
    expect((await authenticateBy(file('localhost'), addresses)).outcome).toBe('ISSUER_UNREACHABLE');
  }
  expect(asked).toEqual([]);
  const { log } = await authenticateBy(file('localhost'), [METADATA], '');
  expect(log).toContain(`localhost leads to ${METADATA}, a link-local address, which no setting allows`);
  expect(log).not.toContain('LEASEHOLD_ALLOWED_NETWORKS');
});

test('a discovery document leads to keys at its own host', async () => {
  expect((await authenticateBy(jwtBy({ discovery: true }), ['127.0.0.1'])).outcome).toBe('jwt');
});

test.each<[string, string[]]>([
  ['a name of the metadata service', [METADATA]],
  ['a name of a private address', [PRIVATE]],
])('a discovery document does not lead to %s', async (_name, addresses) => {
  const { outcome } = await authenticateBy(jwtBy({ discovery: true }), addresses);
  expect(outcome).toBe('ISSUER_UNREACHABLE');
  expect(asked).not.toContain('/keys');
});

test.each([
  ['in the clear', 'http://localhost/keys'],
  ['of a file', 'file:///etc/passwd'],
  ['with a password', 'https://user:password@localhost/keys'],
])('a discovery document does not lead to a URL %s', async (_name, url) => {
  keysUrl = () => url;
  expect((await authenticateBy(jwtBy({ discovery: true }), ['127.0.0.1'])).outcome).toBe('ISSUER_UNREACHABLE');
  expect(asked).not.toContain('/keys');
});

test.each<[string, () => string]>([
  ['no JSON', () => BODY],
  ['JSON of another kind', () => JSON.stringify({ keys: BODY })],
  ['a key of another kind', () => JSON.stringify({ keys: [{ kty: 'oct', k: BODY }] })],
  ['an RSA key that takes long', () => JSON.stringify({ keys: [{ kty: 'RSA', n: BODY.repeat(50), e: 'AQAB' }] })],
  ['more than a key set has', () => BODY.repeat(100_000)],
])('an answer that is %s is not taken for keys, and not repeated', async (_name, answer) => {
  keys = answer;
  const { outcome, log } = await authenticateBy(jwtBy({ discovery: true }), ['127.0.0.1']);
  expect(outcome).toBe('ISSUER_UNREACHABLE');
  expect(log).toContain('the keys of an issuer cannot be fetched');
  for (let at = 0; at + 8 <= BODY.length; at += 8) {
    expect(log).not.toContain(BODY.slice(at, at + 8));
  }
});
