import { createHmac } from 'node:crypto';
import { expect, test } from 'vitest';
import { JsonWebTokens, type JwtIssuer } from '../../src/server/authentication/json-web-tokens.ts';
import { parseKeys } from '../../src/server/authentication/key-set.ts';
import { Secret } from '../../src/shared/domain/secret.ts';
import { forgeToken, makeTokenIssuer, type TokenIssuer, type TokenSpec } from '../support/token-issuer.ts';

const issuer = makeTokenIssuer();
const rsa = makeTokenIssuer('https://rsa.test', 'RS256');
const NOW = Math.floor(Date.now() / 1000);

const rulesFor = ({ issuer: name, jwks }: TokenIssuer, algorithms: string[]): JwtIssuer => ({
  issuer: name,
  audiences: ['leasehold', 'other-name'],
  algorithms,
  keys: { keyOf: parseKeys(jwks), close: () => undefined },
  groups: { claim: 'groups', prefix: 'corp-' },
});

const tokens = new JsonWebTokens([rulesFor(issuer, ['ES256']), rulesFor(rsa, ['RS256', 'ES256'])]);

const authenticate = (bearer: string | undefined, now = Date.now()) =>
  tokens.authenticate({ bearer: bearer === undefined ? undefined : new Secret(bearer), now });

const CLAIMS = { iss: issuer.issuer, sub: 'alice', aud: 'leasehold', exp: NOW + 300 };

test('a token of the issuer is its subject, with its groups under the prefix', async () => {
  const token = await issuer.token({ claims: { groups: ['staff', 'admins'] } });
  expect(await authenticate(token)).toEqual({
    kind: 'jwt',
    id: 'alice',
    issuer: issuer.issuer,
    groups: ['corp-staff', 'corp-admins'],
  });
});

test('one that names a single group, or none, or one of several audiences, counts as well', async () => {
  expect(await authenticate(await issuer.token({ claims: { groups: 'staff' } }))).toMatchObject({
    groups: ['corp-staff'],
  });
  expect(await authenticate(await issuer.token({ claims: { aud: ['x', 'other-name'] } }))).toMatchObject({
    groups: [],
  });
});

test.each<[string, string | undefined]>([
  ['no bearer', undefined],
  ['what is no JWT', 'opaque'],
  ['what is three parts of nothing', 'a.b.c'],
])('%s is left to others', async (_name, bearer) => {
  expect(await authenticate(bearer)).toBeUndefined();
});

test('a token of an issuer that is not known is left to others', async () => {
  expect(await authenticate(await makeTokenIssuer().token())).toBeUndefined();
});

const manyGroups = (count: number, prefix: string) => Array.from({ length: count }, (_, index) => `${prefix}${index}`);

test('a token with as many groups as Entra ID sends counts', async () => {
  // Each a UUID.
  const groups = manyGroups(200, '3f1c9a52-0d3e-4b5f-9c55-2f6ff5a1');
  expect((await authenticate(await issuer.token({ claims: { groups } })))?.groups).toHaveLength(200);
});

test.each<[string, TokenSpec, string, RegExp]>([
  ['has expired', { claims: { exp: NOW - 10 } }, 'CREDENTIALS_EXPIRED', /expired/],
  ['is not valid yet', { claims: { nbf: NOW + 60 } }, 'CREDENTIALS_INVALID', /not valid yet/],
  ['is for another audience', { claims: { aud: 'another' } }, 'CREDENTIALS_INVALID', /another audience/],
  ['is for no audience', { claims: { aud: undefined } }, 'CREDENTIALS_INVALID', /another audience/],
  ['has no end', { claims: { exp: undefined } }, 'CREDENTIALS_INVALID', /claim exp/],
  ['has no subject', { claims: { sub: undefined } }, 'CREDENTIALS_INVALID', /claim sub/],
  ['has an empty subject', { claims: { sub: '' } }, 'CREDENTIALS_INVALID', /claim sub/],
  ['has a subject with a line break', { claims: { sub: 'a\nb' } }, 'CREDENTIALS_INVALID', /claim sub/],
  ['has groups that are no names', { claims: { groups: [1] } }, 'CREDENTIALS_INVALID', /claim groups/],
  ['has too many groups', { claims: { groups: manyGroups(201, 'g') } }, 'CREDENTIALS_INVALID', /201 groups/],
  [
    'has too long groups',
    { claims: { groups: manyGroups(100, 'g'.repeat(200)) } },
    'CREDENTIALS_INVALID',
    /100 groups/,
  ],
  ['names a key that the issuer does not have', { header: { kid: 'unknown' } }, 'CREDENTIALS_INVALID', /names no key/],
])('a token that %s is refused', async (_name, spec, reason, message) => {
  const refusal = expect(authenticate(await issuer.token(spec))).rejects;
  await refusal.toMatchObject({ name: 'Unauthenticated', reason });
  await refusal.toThrow(message);
});

test('a clock that is some seconds off does no harm, one that is further does', async () => {
  expect(await authenticate(await issuer.token({ claims: { exp: NOW + 1 } }), (NOW + 5) * 1000)).toBeDefined();
  await expect(authenticate(await issuer.token({ claims: { exp: NOW + 1 } }), (NOW + 7) * 1000)).rejects.toMatchObject({
    reason: 'CREDENTIALS_EXPIRED',
  });
});

const { kid } = issuer.jwk;
const pem = issuer.publicKey.export({ type: 'spki', format: 'pem' });
const other = makeTokenIssuer(issuer.issuer);

test.each<[string, () => string | Promise<string>]>([
  ['is signed by nobody (alg none)', () => forgeToken({ alg: 'none' }, CLAIMS)],
  ['says alg none and names a key', () => forgeToken({ alg: 'none', kid }, CLAIMS)],
  [
    'is signed with the public key as a secret (HS256)',
    () => forgeToken({ alg: 'HS256', kid }, CLAIMS, (input) => createHmac('sha256', pem).update(input).digest()),
  ],
  [
    'is signed with the JWK as a secret (HS256)',
    () =>
      forgeToken({ alg: 'HS256', kid }, CLAIMS, (input) =>
        createHmac('sha256', JSON.stringify(issuer.jwk)).update(input).digest(),
      ),
  ],
  ['is signed by another key under its name', () => other.token({ header: { kid } })],
  ['brings its own key along', () => other.token({ header: { kid, ...{ jwk: other.jwk } } })],
  ['says RS256 of a key for ES256', () => forgeToken({ alg: 'RS256', kid }, CLAIMS, () => Buffer.alloc(256, 1))],
  [
    'says ES256 of a key for RS256',
    () => forgeToken({ alg: 'ES256', kid: rsa.jwk.kid }, { ...CLAIMS, iss: rsa.issuer }, () => Buffer.alloc(64, 1)),
  ],
  [
    'is signed with an all-zero ES256 signature (CVE-2022-21449)',
    () => forgeToken({ alg: 'ES256', kid }, CLAIMS, () => Buffer.alloc(64)),
  ],
  [
    'needs an extension that nobody understands (crit)',
    () => forgeToken({ alg: 'ES256', kid, crit: ['urn:test'], 'urn:test': true }, CLAIMS, issuer.sign),
  ],
])('a token that %s is refused', async (_name, forge) => {
  await expect(authenticate(await forge())).rejects.toMatchObject({ reason: 'CREDENTIALS_INVALID' });
});

test('what the issuer signs counts, however it was put together', async () => {
  expect(await authenticate(forgeToken({ alg: 'ES256', kid }, CLAIMS, issuer.sign))).toMatchObject({ id: 'alice' });
});

test('a token whose claims were changed is refused', async () => {
  const [header, , signature] = (await issuer.token()).split('.');
  const claims = Buffer.from(JSON.stringify({ ...CLAIMS, sub: 'root' })).toString('base64url');
  await expect(authenticate([header, claims, signature].join('.'))).rejects.toThrow('its signature is wrong');
});

test('an algorithm that is not allowed is refused before anything is verified', async () => {
  const token = forgeToken({ alg: 'PS256', kid: rsa.jwk.kid }, { ...CLAIMS, iss: rsa.issuer }, () => Buffer.alloc(256));
  await expect(authenticate(token)).rejects.toThrow('its algorithm is none of those');
});

test('messages repeat nothing of the token', async () => {
  const token = await issuer.token({ claims: { aud: 'another', sub: 'somebody-secret' } });
  const failure = await authenticate(token).catch((error: Error) => error);
  expect(String(failure)).not.toMatch(/somebody-secret|eyJ/);
});

test.each<[string, unknown]>([
  ['a private key', { keys: [{ ...issuer.jwk, d: 'private' }] }],
  ['a symmetric key', { keys: [{ kty: 'oct', k: 'c2VjcmV0' }] }],
  ['no keys', {}],
  ['no JSON', undefined],
])('%s is no key set', (_name, jwks) => {
  expect(() => parseKeys(jwks)).toThrow('no JSON Web Key Set of public keys');
});
