import { connect, constants, type SecureClientSessionOptions } from 'node:http2';
import { Status } from 'nice-grpc';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { ListLeasesRequest } from '../../src/gen/leasehold/v1/lease_service.ts';
import { type Certificate, makeCa } from '../support/certificates.ts';
import { type Leasehold, startLeasehold } from '../support/leasehold.ts';
import { framed, outcomeOf, type RawOutcome } from '../support/raw-grpc.ts';
import { makeSecureSite, type SecureSite } from '../support/secure-site.ts';
import { ADMIN_KEY, callersYaml } from '../support/security.ts';
import { makeTokenIssuer } from '../support/token-issuer.ts';

// A proxy with a certificate of its own, users behind it, and requests that show several credentials.

const PROXY = 'spiffe://example.org/proxy';
const MESH = 'spiffe://mesh.example/workload';

const serverCa = await makeCa();
const clientCa = await makeCa();
const issuer = makeTokenIssuer();
const key = `Bearer ${ADMIN_KEY.reveal()}`;
const token = `Bearer ${await issuer.token()}`;

let site: SecureSite;
let leasehold: Leasehold;
let proxy: Certificate;
let mesh: Certificate;
beforeAll(async () => {
  const jwt = [{ issuer: issuer.issuer, audiences: ['leasehold'], jwks: { file: 'jwks.json' } }];
  const callers = { certificates: { trustDomains: ['example.org'] }, jwt, groups: { admins: [PROXY] } };
  site = await makeSecureSite(await serverCa.issue(), clientCa.caPem, callersYaml(callers));
  await site.write('jwks.json', JSON.stringify(issuer.jwks));
  proxy = await clientCa.issueClient({ uris: [PROXY] });
  mesh = await clientCa.issueClient({ uris: [MESH] });
  leasehold = await startLeasehold(inject('redisUrl'), site.environment);
});
afterAll(async () => {
  await leasehold.stop();
  await site.remove();
});

/** A ListLeases with these headers, each as often as it is here. */
async function call(headers: readonly string[], certificate?: Certificate): Promise<RawOutcome> {
  const options: SecureClientSessionOptions & { strictSingleValueFields: boolean } = {
    ca: serverCa.caPem,
    servername: 'localhost',
    ...(certificate && { key: certificate.key, cert: certificate.cert }),
    // Node's client would refuse to send `authorization` twice. Its types do not know the option yet.
    strictSingleValueFields: false,
  };
  const session = connect(`https://${leasehold.address}`, options);
  try {
    const stream = session.request([
      ...[constants.HTTP2_HEADER_METHOD, 'POST'],
      ...[constants.HTTP2_HEADER_PATH, '/leasehold.v1.LeaseService/ListLeases'],
      ...[constants.HTTP2_HEADER_CONTENT_TYPE, 'application/grpc'],
      ...headers,
    ]);
    const outcome = outcomeOf(stream);
    stream.resume().end(framed(ListLeasesRequest.encode(ListLeasesRequest.create()).finish()));
    return await outcome;
  } finally {
    session.destroy();
  }
}

test.each<[string, string[], (() => Certificate)?]>([
  ['a certificate that names a caller, and an API key', ['authorization', key], () => proxy],
  ['a certificate that names a caller, and the token of a user', ['authorization', token], () => proxy],
  ['a certificate that names a caller, and a token that counts nowhere', ['authorization', 'Bearer x'], () => proxy],
  ['a certificate that names a caller, and a token forwarded', ['x-forwarded-access-token', 'x'], () => proxy],
  ...['x-forwarded-client-cert', 'client-cert', 'ssl-client-cert', 'x-ssl-client-cert'].map(
    (name): [string, string[], () => Certificate] => [
      `a certificate that names a caller, and another in ${name}`,
      [name, 'x'],
      () => proxy,
    ],
  ),
  ...['x-amzn-oidc-data', 'x-goog-iap-jwt-assertion', 'cf-access-jwt-assertion'].map((name): [string, string[]] => [
    `a key, and an identity in ${name}`,
    ['authorization', key, name, 'x'],
  ]),
  ['an API key, then a JWT', ['authorization', key, 'authorization', token]],
  ['a JWT, then an API key', ['authorization', token, 'authorization', key]],
  ['one key twice', ['authorization', key, 'authorization', key]],
  ['one key twice, in other letter case', ['authorization', key, 'Authorization', key]],
  ['a key, then no bearer', ['authorization', key, 'authorization', 'Basic YTpi']],
  ['two, joined by a comma', ['authorization', `${key}, ${token}`]],
  ['two, joined by a comma alone', ['authorization', `${key},x`]],
  ['a key, and another in x-api-key', ['authorization', key, 'x-api-key', 'x']],
  ['a key, and a token for a proxy', ['authorization', key, 'proxy-authorization', token]],
  ['a key, and another in binary metadata', ['authorization', key, 'authorization-bin', 'eA==']],
])('a call that shows %s is refused, and hears what to send', async (_name, headers, certificate) => {
  const { status, message } = await call(headers, certificate?.());
  expect({ status, message: decodeURIComponent(message) }).toEqual({
    status: Status.UNAUTHENTICATED,
    message: expect.stringMatching(/^the call shows more than one credential: .* Send either /),
  });
});

test.each<[string, string[], (() => Certificate)?]>([
  ['a certificate that names a caller', [], () => proxy],
  ['a key', ['authorization', key]],
  ['a key, and a certificate that was passed on', ['authorization', key, 'x-forwarded-client-cert', 'x']],
  ['a key through a mesh', ['authorization', key, 'x-forwarded-client-cert', 'x'], () => mesh],
  ['a key, and a certificate that names nobody here, as those of a mesh', ['authorization', key], () => mesh],
])('a call that shows %s is served', async (_name, headers, certificate) => {
  expect(await call(headers, certificate?.())).toMatchObject({ status: Status.OK });
});
