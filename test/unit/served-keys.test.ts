import { expect, test } from 'vitest';
import { type KeySet, parseKeys } from '../../src/server/authentication/key-set.ts';
import { accountByServedKeys } from '../../src/server/authentication/served-keys.ts';
import { Unavailable } from '../../src/shared/domain/errors.ts';
import { Secret } from '../../src/shared/domain/secret.ts';
import { makeTokenIssuer, type TokenSpec } from '../support/token-issuer.ts';

// What the keys that an API server serves say of a token before its TokenReview is asked, which has the last word.

const NOW = Date.now();
const SECONDS = Math.floor(NOW / 1000);
const ACCOUNT = { namespace: 'payments', name: 'ledger' };
const SUB = 'system:serviceaccount:payments:ledger';

const issuer = makeTokenIssuer();
const KEYS: KeySet = { keyOf: parseKeys(issuer.jwks), close: () => undefined };
const proof = accountByServedKeys({ audiences: ['leasehold'], keys: KEYS });

const token = async ({ claims, ...spec }: TokenSpec = {}, by = issuer) =>
  new Secret(await by.token({ claims: { sub: SUB, ...claims }, ...spec }));

test.each<[string, TokenSpec]>([
  ['of a pod', {}],
  ['of a Secret, without audience and expiry', { claims: { aud: undefined, exp: undefined, iat: undefined } }],
  ['without an audience', { claims: { aud: undefined } }],
  ['without an expiry', { claims: { exp: undefined } }],
  ['that begins to count by the clock of its cluster, which is ahead', { claims: { nbf: SECONDS + 60 } }],
])('a token %s is proven by its signature', async (_name, spec) => {
  expect(await proof(await token(spec), NOW)).toEqual(ACCOUNT);
});

test.each<[string, TokenSpec]>([
  ['for another audience', { claims: { aud: 'https://kubernetes.default.svc' } }],
  ['for no audience', { claims: { aud: [] } }],
  ['that expired', { claims: { exp: SECONDS - 60 } }],
  ['whose expiry is no time', { claims: { exp: 'never' } }],
  ['of no service account', { claims: { sub: 'alice' } }],
])('a token %s is refused', async (_name, spec) => {
  await expect(proof(await token(spec), NOW)).rejects.toMatchObject({ name: 'Unauthenticated' });
});

test('a token of a Secret that another key signed is refused', async () => {
  const forged = await token(
    { claims: { aud: undefined, exp: undefined }, header: { kid: issuer.jwk.kid } },
    makeTokenIssuer(issuer.issuer),
  );
  await expect(proof(forged, NOW)).rejects.toMatchObject({ reason: 'CREDENTIALS_INVALID' });
});

test('a key that is not served, and keys that cannot be fetched, leave the word to the cluster', async () => {
  expect(await proof(await token({ header: { kid: 'another' } }), NOW)).toBeUndefined();
  const away: KeySet = {
    keyOf: () => Promise.reject(new Unavailable('ISSUER_UNREACHABLE', 'away')),
    close: () => undefined,
  };
  expect(await accountByServedKeys({ audiences: ['leasehold'], keys: away })(await token(), NOW)).toBeUndefined();
});
