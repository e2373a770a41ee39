import { expect, test } from 'vitest';
import { TokenReviews } from '../../src/server/authentication/token-review.ts';
import { Secret } from '../../src/shared/domain/secret.ts';

const NOW = Date.now();
const LEDGER = { username: 'system:serviceaccount:payments:ledger' };
const GOOD = { authenticated: true, user: LEDGER, audiences: ['leasehold'] };

/** Reviews of a cluster that answers with one status after the other; the last again and again. */
function reviewsOf(...answers: unknown[]) {
  const asked: { url: string; body: object }[] = [];
  const reviews = new TokenReviews('https://cluster.test:6443', ['leasehold'], {
    async post(url, body) {
      asked.push({ url, body });
      const answer = answers[Math.min(asked.length, answers.length) - 1];
      if (answer instanceof Error) {
        throw answer;
      }
      return { status: answer };
    },
  });
  return { asked, accountOf: (text: string, now = NOW) => reviews.accountOf(new Secret(text), now) };
}

test('the cluster is asked whose the token is, for our audiences', async () => {
  const { asked, accountOf } = reviewsOf(GOOD);
  expect(await accountOf('token')).toEqual({ namespace: 'payments', name: 'ledger' });
  expect(asked).toEqual([
    {
      url: 'https://cluster.test:6443/apis/authentication.k8s.io/v1/tokenreviews',
      body: {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenReview',
        spec: { token: 'token', audiences: ['leasehold'] },
      },
    },
  ]);
});

test('its answer counts for ten seconds, for that token alone, and calls at once are one question', async () => {
  const { asked, accountOf } = reviewsOf(GOOD);
  await Promise.all([accountOf('token'), accountOf('token')]);
  await accountOf('token', NOW + 9_999);
  expect(asked).toHaveLength(1);
  await accountOf('token', NOW + 10_000);
  expect(asked).toHaveLength(2);
  await accountOf('another', NOW + 10_000);
  expect(asked).toHaveLength(3);
});

test('an answer does not count longer because the clock goes back', async () => {
  const { asked, accountOf } = reviewsOf(GOOD);
  await accountOf('token');
  await accountOf('token', NOW - 3_600_000);
  expect(asked).toHaveLength(2);
});

test.each<[string, object]>([
  ['does not know the token', { authenticated: false, user: LEDGER, audiences: ['leasehold'] }],
  ['says nothing', {}],
  ['does not know the token, as kube-apiserver says it', { user: {}, error: 'invalid bearer token' }],
  ['says yes, and that it could not check it', { ...GOOD, error: 'the key set is not there' }],
  ['names another audience', { ...GOOD, audiences: ['another'] }],
  ['names no audience, as one that does not know of them', { ...GOOD, audiences: undefined }],
  ['names a person', { ...GOOD, user: { username: 'alice' } }],
  ['names nobody', { ...GOOD, user: undefined }],
])('a token is refused where the cluster %s, and asked about again', async (_name, status) => {
  const { accountOf } = reviewsOf(status, GOOD);
  await expect(accountOf('token')).rejects.toMatchObject({ name: 'Unauthenticated', reason: 'CREDENTIALS_INVALID' });
  expect(await accountOf('token')).toEqual({ namespace: 'payments', name: 'ledger' });
});

test('a cluster that does not answer is no reason to call the token wrong', async () => {
  const { accountOf } = reviewsOf(new Error('connect ECONNREFUSED'), 'nonsense', GOOD);
  await expect(accountOf('token')).rejects.toMatchObject({ name: 'Unavailable', reason: 'ISSUER_UNREACHABLE' });
  await expect(accountOf('token')).rejects.toMatchObject({ name: 'Unavailable', reason: 'ISSUER_UNREACHABLE' });
  expect(await accountOf('token')).toBeDefined();
});

test('an answer that is no TokenReview says nothing of the token', async () => {
  const reviews = new TokenReviews('https://cluster.test', ['leasehold'], {
    post: async () => ({ kind: 'SubjectAccessReview', status: GOOD }),
  });
  await expect(reviews.accountOf(new Secret('token'), NOW)).rejects.toMatchObject({ reason: 'ISSUER_UNREACHABLE' });
});

test('a flood of tokens does not become a flood of reviews', async () => {
  let atOnce = 0;
  let most = 0;
  const gate = Promise.withResolvers<void>();
  const reviews = new TokenReviews('https://cluster.test', ['leasehold'], {
    async post() {
      most = Math.max(most, ++atOnce);
      await gate.promise;
      atOnce--;
      return { status: GOOD };
    },
  });
  const all = Array.from({ length: 400 }, (_, index) => reviews.accountOf(new Secret(`token ${index}`), NOW));
  const settled = Promise.allSettled(all);
  gate.resolve();
  const refused = (await settled).filter(({ status }) => status === 'rejected');
  expect(most).toBe(16);
  expect(refused).toHaveLength(400 - 16 - 256);
});
