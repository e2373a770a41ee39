import { describe, expect, test } from 'vitest';
import { readClaims } from '../../src/shared/configs/token-claims.ts';
import { renewalOf } from '../../src/shared/configs/token-renewal.ts';
import { Secret } from '../../src/shared/domain/secret.ts';
import { accountToken } from '../support/account-token.ts';

const IAT = 1_700_000_000;

describe('a cluster token', () => {
  test('of the TokenRequest API is renewed as it is, when a third of its life is left', () => {
    const serviceaccount = { name: 'leasehold', uid: 'uid' };
    const token = accountToken({
      iat: IAT,
      exp: IAT + 3600,
      'kubernetes.io': { namespace: 'leasehold', serviceaccount },
    });
    expect(renewalOf(token)).toEqual({
      renewal: {
        account: { namespace: 'leasehold', name: 'leasehold' },
        audiences: ['api'],
        seconds: 3600,
        dueTime: (IAT + 2400) * 1000,
        expireTime: (IAT + 3600) * 1000,
      },
    });
  });

  test('of one audience, which a JWT may write without a list, keeps it', () => {
    expect(renewalOf(accountToken({ iat: IAT, exp: IAT + 600, aud: 'api' }))).toMatchObject({
      renewal: { audiences: ['api'] },
    });
  });

  test('that lives shorter than any that is minted is asked for the least', () => {
    expect(renewalOf(accountToken({ iat: IAT, exp: IAT + 60 }))).toMatchObject({ renewal: { seconds: 600 } });
  });

  test.each([
    ['that is no JWT', new Secret('opaque')],
    ['that is almost one', new Secret('eyJ.e30')],
    ['of a user', accountToken({ iat: IAT, exp: IAT + 600, sub: 'alice' })],
    [
      'of a user whose name looks like an account',
      accountToken({ sub: 'system:serviceaccount:a', iat: IAT, exp: IAT + 9 }),
    ],
    [
      'of an account with a path for a name',
      accountToken({ sub: 'system:serviceaccount:a:../b', iat: IAT, exp: IAT + 9 }),
    ],
    ['of an account with too many parts', accountToken({ sub: 'system:serviceaccount:a:b:c', iat: IAT, exp: IAT + 9 })],
    ['that never expires', accountToken({ iat: IAT })],
    ['of unknown age', accountToken({ exp: IAT })],
    ['that ended before it began', accountToken({ iat: IAT, exp: IAT - 1 })],
    ['that ends after all time', accountToken({ iat: IAT, exp: 1e300 })],
    ['whose end is a text', accountToken({ iat: IAT, exp: '2030' as unknown as number })],
    ['bound to a Pod', accountToken({ iat: IAT, exp: IAT + 600, 'kubernetes.io': { pod: { name: 'p', uid: 'u' } } })],
    [
      'bound to a Secret',
      accountToken({ iat: IAT, exp: IAT + 600, 'kubernetes.io': { secret: { name: 's', uid: 'u' } } }),
    ],
    ['bound to a Node', accountToken({ iat: IAT, exp: IAT + 600, 'kubernetes.io': { node: { name: 'n' } } })],
  ])('%s is not renewed', (_, token) => {
    expect(renewalOf(token)).toEqual({ problem: expect.any(String) });
  });

  test('of another issuer still says when it expires', () => {
    expect(readClaims(accountToken({ sub: 'alice', exp: IAT }))).toMatchObject({
      account: undefined,
      expireTime: IAT * 1000,
    });
  });
});
