import { X509Certificate } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { Callers } from '../../src/server/authentication/callers.ts';
import { makeApiKey } from '../../src/shared/domain/api-key.ts';
import { Secret } from '../../src/shared/domain/secret.ts';
import { createLogger } from '../../src/shared/telemetry/logger.ts';
import { makeTempFolder } from '../servers/temp-folder.ts';
import { startAnsweringServer } from '../support/answering-server.ts';
import { makeCa } from '../support/certificates.ts';
import { testEgress } from '../support/egress.ts';
import { eventually } from '../support/eventually.ts';
import { apiKeyEntry } from '../support/security.ts';
import { makeTokenIssuer } from '../support/token-issuer.ts';

const folder = await makeTempFolder('callers');
afterAll(() => folder.remove());
const at = (name: string) => join(folder.path, name);
const log = createLogger('test', 'silent');

const issuer = makeTokenIssuer();
const cluster = makeTokenIssuer('https://k8s.test', 'RS256');
const key = makeApiKey('ci');
const LEDGER = { sub: 'system:serviceaccount:payments:ledger' };
const ID = 'spiffe://example.org/ops/alice';
const certificate = new X509Certificate((await (await makeCa()).issueClient({ uris: [ID] })).cert);

const ALL = {
  certificates: { trustDomains: ['example.org'] },
  jwt: [{ issuer: issuer.issuer, audiences: ['leasehold'], jwks: { file: 'jwks.json' } }],
  clusters: [{ name: 'prod', issuer: cluster.issuer, audiences: ['leasehold'], jwks: { file: 'prod.json' } }],
  apiKeys: [apiKeyEntry(key, 'ci', ['ci'])],
  groups: {
    ops: ['spiffe://example.org/ops/*', `jwt:${issuer.issuer}#alice`],
    payments: ['serviceaccount:prod/payments/*'],
    ci: ['apikey:ci'],
    nobody: ['spiffe://example.org/op', 'apikey:c', 'apikey:cia*'],
  },
};
await writeFile(at('jwks.json'), JSON.stringify(issuer.jwks));
await writeFile(at('prod.json'), JSON.stringify(cluster.jwks));

/** Files are looked at once a second. */
const PATIENTLY = 20_000;

let files = 0;
async function open(callers: object) {
  const path = at(`callers-${files++}.yaml`);
  await writeFile(path, stringify(callers));
  const opened = await Callers.open(path, log, testEgress);
  const authenticate = (bearer?: string, shown?: X509Certificate) =>
    opened.authenticate({
      certificate: shown,
      bearer: bearer === undefined ? undefined : new Secret(bearer),
      now: Date.now(),
    });
  return { path, authenticate, close: () => opened.close() };
}

test('each kind of caller is known, with the groups that the file makes of it', async () => {
  const { authenticate, close } = await open(ALL);
  expect(await authenticate(undefined, certificate)).toMatchObject({ kind: 'certificate', id: ID, groups: ['ops'] });
  expect(await authenticate(await issuer.token())).toMatchObject({ kind: 'jwt', id: 'alice', groups: ['ops'] });
  expect(await authenticate(await cluster.token({ claims: LEDGER }))).toMatchObject({
    kind: 'service-account',
    id: 'payments/ledger',
    issuer: 'prod',
    groups: ['payments'],
  });
  expect(await authenticate(key.reveal())).toMatchObject({ kind: 'api-key', id: 'ci', groups: ['ci'] });
  close();
});

test('a certificate that names a caller and a bearer are two credentials; of one that names nobody the bearer counts', async () => {
  const { authenticate, close } = await open(ALL);
  for (const bearer of [key.reveal(), await issuer.token(), 'opaque']) {
    await expect(authenticate(bearer, certificate)).rejects.toMatchObject({ reason: 'CREDENTIALS_AMBIGUOUS' });
  }
  close();
  const withoutTrust = await open({ ...ALL, certificates: {} });
  expect(await withoutTrust.authenticate(key.reveal(), certificate)).toMatchObject({ id: 'ci' });
  withoutTrust.close();
});

test('who shows nothing, or nothing that counts, is nobody', async () => {
  const { authenticate, close } = await open({});
  await expect(authenticate()).rejects.toMatchObject({ reason: 'CREDENTIALS_MISSING' });
  await expect(authenticate(undefined, certificate)).rejects.toMatchObject({ reason: 'CREDENTIALS_INVALID' });
  await expect(authenticate('opaque')).rejects.toMatchObject({ reason: 'CREDENTIALS_INVALID' });
  await expect(authenticate(await issuer.token())).rejects.toMatchObject({ reason: 'CREDENTIALS_INVALID' });
  close();
});

test('a token that is wrong is refused, not tried as something else', async () => {
  const { authenticate, close } = await open(ALL);
  const expired = await issuer.token({ claims: { exp: 1 } });
  await expect(authenticate(expired)).rejects.toMatchObject({ reason: 'CREDENTIALS_EXPIRED' });
  close();
});

test(
  'a key is out, and another in, once the file says so; a bad file changes nothing',
  async () => {
    const { path, authenticate, close } = await open(ALL);
    await writeFile(path, 'apiKeys: nonsense');
    const other = makeApiKey('other');
    await expect(authenticate(other.reveal())).rejects.toThrow();
    await writeFile(path, stringify({ ...ALL, apiKeys: [apiKeyEntry(other, 'other')] }));
    await eventually(async () => expect(await authenticate(other.reveal())).toMatchObject({ id: 'other' }));
    await expect(authenticate(key.reveal())).rejects.toMatchObject({ reason: 'CREDENTIALS_INVALID' });
    close();
  },
  PATIENTLY,
);

test('an issuer that publishes its keys by discovery is found, and one that speaks for another is not', async () => {
  const answers: Record<string, () => object> = {
    '/good/.well-known/openid-configuration': () => ({ issuer: `${server.url}/good`, jwks_uri: `${server.url}/keys` }),
    '/evil/.well-known/openid-configuration': () => ({ issuer: `${server.url}/good`, jwks_uri: `${server.url}/keys` }),
    '/keys': () => good.jwks,
  };
  const server = await startAnsweringServer(({ url = '' }, response) => {
    const answer = answers[url];
    response
      .writeHead(answer ? 200 : 404, { 'content-type': 'application/json' })
      .end(JSON.stringify(answer?.() ?? {}));
  });
  const good = makeTokenIssuer(`${server.url}/good`);
  await writeFile(at('ca.pem'), server.caPem);
  const jwks = { discovery: true, caFile: 'ca.pem' };
  const rules = { audiences: ['leasehold'], jwks };
  const { authenticate, close } = await open({
    jwt: [
      { issuer: `${server.url}/good`, ...rules },
      { issuer: `${server.url}/evil`, ...rules },
    ],
  });
  expect(await authenticate(await good.token())).toMatchObject({ id: 'alice', issuer: `${server.url}/good` });
  await expect(authenticate(await good.token({ claims: { iss: `${server.url}/evil` } }))).rejects.toMatchObject({
    reason: 'ISSUER_UNREACHABLE',
  });
  close();
  server.stop();
});

test(
  'the keys of an issuer that is away outlast a reload of the callers',
  async () => {
    const server = await startAnsweringServer((_, response) => void response.end(JSON.stringify(issuer.jwks)));
    await writeFile(at('keys-ca.pem'), server.caPem);
    const byUrl = {
      jwt: [
        { issuer: issuer.issuer, audiences: ['leasehold'], jwks: { url: `${server.url}/keys`, caFile: 'keys-ca.pem' } },
      ],
    };
    const { path, authenticate, close } = await open(byUrl);
    server.stop();
    await writeFile(path, stringify({ ...byUrl, apiKeys: [apiKeyEntry(key, 'ci')] }));
    await eventually(async () => expect(await authenticate(key.reveal())).toMatchObject({ id: 'ci' }));
    expect(await authenticate(await issuer.token())).toMatchObject({ id: 'alice' });
    close();
  },
  PATIENTLY,
);

test('a redirect is not followed to other keys', async () => {
  const server = await startAnsweringServer(({ url }, response) =>
    url === '/keys'
      ? void response.writeHead(302, { location: '/other' }).end()
      : void response.end(JSON.stringify(issuer.jwks)),
  );
  await writeFile(at('redirect-ca.pem'), server.caPem);
  const jwks = { url: `${server.url}/keys`, caFile: 'redirect-ca.pem' };
  const { authenticate, close } = await open({ jwt: [{ issuer: issuer.issuer, audiences: ['leasehold'], jwks }] });
  await expect(authenticate(await issuer.token())).rejects.toMatchObject({ reason: 'ISSUER_UNREACHABLE' });
  close();
  server.stop();
});
