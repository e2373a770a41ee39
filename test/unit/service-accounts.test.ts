import { expect, test } from 'vitest';
import { parseKeys } from '../../src/server/authentication/key-set.ts';
import { accountByKeys, ServiceAccounts } from '../../src/server/authentication/service-accounts.ts';
import { Unavailable } from '../../src/shared/domain/errors.ts';
import { Secret } from '../../src/shared/domain/secret.ts';
import { forgeToken, makeTokenIssuer, type TokenIssuer } from '../support/token-issuer.ts';

// As kubeadm sets up clusters: all of them call their issuer the same.
const ISSUER = 'https://kubernetes.default.svc.cluster.local';
const [blue, green] = [makeTokenIssuer(ISSUER, 'RS256'), makeTokenIssuer(ISSUER, 'RS256')];

const cluster = (name: string, { issuer, jwks }: TokenIssuer) => ({
  name,
  issuer,
  accountOf: accountByKeys({
    issuer,
    audiences: ['leasehold'],
    algorithms: ['RS256'],
    keys: { keyOf: parseKeys(jwks), close: () => undefined },
  }),
});

const accounts = new ServiceAccounts([cluster('blue', blue), cluster('green', green)]);
const authenticate = (bearer: string) => accounts.authenticate({ bearer: new Secret(bearer), now: Date.now() });
const LEDGER = { sub: 'system:serviceaccount:payments:ledger' };

test('a token is of the service account of the cluster whose key signed it, though others have the same issuer', async () => {
  const account = { kind: 'service-account', id: 'payments/ledger', groups: [] };
  expect(await authenticate(await blue.token({ claims: LEDGER }))).toEqual({ ...account, issuer: 'blue' });
  expect(await authenticate(await green.token({ claims: LEDGER }))).toEqual({ ...account, issuer: 'green' });
});

test('a token of another issuer is left to others', async () => {
  expect(await authenticate(await makeTokenIssuer().token({ claims: LEDGER }))).toBeUndefined();
});

test.each([
  'alice',
  'system:serviceaccount:payments',
  'system:serviceaccount:pay/ments:x',
  'system:serviceaccount:a:b:c',
])('a token of %s is of no service account', async (sub) => {
  await expect(authenticate(await blue.token({ claims: { sub } }))).rejects.toThrow(
    'does not belong to a service account',
  );
});

test.each<[string, () => string | Promise<string>]>([
  [
    'another key signed',
    () => makeTokenIssuer(ISSUER, 'RS256').token({ claims: LEDGER, header: { kid: blue.jwk.kid } }),
  ],
  ['nobody signed', () => forgeToken({ alg: 'none' }, { iss: ISSUER, aud: 'leasehold', exp: 2e9, ...LEDGER })],
  ['is for the API server', () => blue.token({ claims: { ...LEDGER, aud: ISSUER } })],
  ['has no end, as those of before Kubernetes 1.24', () => blue.token({ claims: { ...LEDGER, exp: undefined } })],
])('a token that %s is refused', async (_name, token) => {
  await expect(authenticate(await token())).rejects.toMatchObject({ reason: 'CREDENTIALS_INVALID' });
});

test('while the keys of one cluster are not known, what others refuse may be its own', async () => {
  const unknown = new Unavailable('ISSUER_UNREACHABLE', 'away');
  const away = { name: 'away', issuer: ISSUER, accountOf: () => Promise.reject(unknown) };
  for (const clusters of [
    [cluster('blue', blue), away],
    [away, cluster('blue', blue)],
  ]) {
    const asked = new ServiceAccounts(clusters);
    const ask = async (issuer: TokenIssuer) =>
      asked.authenticate({ bearer: new Secret(await issuer.token({ claims: LEDGER })), now: Date.now() });
    await expect(ask(green)).rejects.toBe(unknown);
    expect(await ask(blue)).toMatchObject({ issuer: 'blue' });
  }
});

test('an expired token is refused as such', async () => {
  const token = await blue.token({ claims: { ...LEDGER, exp: Math.floor(Date.now() / 1000) - 10 } });
  await expect(authenticate(token)).rejects.toMatchObject({ reason: 'CREDENTIALS_EXPIRED' });
});
