import { describe, expect, test, vi } from 'vitest';
import { type Proof, TokenReviews } from '../../src/server/authentication/token-review.ts';
import { Unauthenticated } from '../../src/shared/domain/errors.ts';
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
  const all = Array.from({ length: 400 }, (_, index) =>
    reviews.accountOf(new Secret(`token ${index}`), NOW, { sourceIp: `192.0.2.${index % 2}` }),
  );
  const settled = Promise.allSettled(all);
  gate.resolve();
  const refused = (await settled).filter(({ status }) => status === 'rejected');
  expect(most).toBe(16);
  expect(refused).toHaveLength(400 - 16 - 256);
});

describe('while forged tokens flood a cluster that answers nothing', () => {
  const FORGED = 600;
  const REAL = 'a token of a new caller';

  /** Reviews that answer real tokens at once, and others never. `proof`: as TokenReviews takes it. */
  function underFlood(proof?: Proof) {
    const asked: string[] = [];
    const reviews = new TokenReviews(
      'https://cluster.test',
      ['leasehold'],
      {
        async post(_url, body) {
          const { token } = (body as { spec: { token: string } }).spec;
          asked.push(token);
          return token.startsWith('forged') ? new Promise(() => undefined) : { status: GOOD };
        },
      },
      proof,
    );
    const forge = (addressOf: (index: number) => string) =>
      Promise.allSettled(
        Array.from({ length: FORGED }, (_, index) =>
          reviews.accountOf(new Secret(`forged ${index}`), NOW, { sourceIp: addressOf(index) }),
        ),
      );
    return { asked, reviews, forge };
  }

  const LEDGER_ACCOUNT = { namespace: 'payments', name: 'ledger' };

  test('a caller of another address is served, whose token the cluster never saw', async () => {
    const { reviews, forge } = underFlood();
    void forge(() => '192.0.2.1');
    expect(await reviews.accountOf(new Secret(REAL), NOW, { sourceIp: '192.0.2.2' })).toEqual(LEDGER_ACCOUNT);
  });

  test.each([
    ['the addresses of one /64', (index: number) => `2001:db8::${index.toString(16)}`, '2001:db8:0:1::1'],
    ['an IPv4 address in two forms', (index: number) => (index % 2 ? '192.0.2.1' : '::ffff:192.0.2.1'), '192.0.2.2'],
  ])('%s are one source', async (_name, addressOf, other) => {
    const { reviews, forge } = underFlood();
    void forge(addressOf);
    expect(await reviews.accountOf(new Secret(REAL), NOW, { sourceIp: other })).toEqual(LEDGER_ACCOUNT);
  });

  test('a token that was accepted before is asked about again, from whatever address', async () => {
    const { asked, reviews, forge } = underFlood();
    await reviews.accountOf(new Secret(REAL), NOW, { sourceIp: '192.0.2.1' });
    void forge((index) => `192.0.2.${index % 250}`);
    expect(await reviews.accountOf(new Secret(REAL), NOW + 10_000, { sourceIp: '192.0.2.1' })).toEqual(LEDGER_ACCOUNT);
    expect(asked.filter((token) => token === REAL)).toHaveLength(2);
  });

  test('a call hears that its token is proven before its cluster answers, each call that shows it', async () => {
    const { reviews } = underFlood(async (token) =>
      token.reveal() === 'forged and unknown' ? undefined : LEDGER_ACCOUNT,
    );
    const heard: string[] = [];
    for (const token of ['forged, but signed', 'forged, but signed', 'forged and unknown']) {
      void reviews.accountOf(new Secret(token), NOW, { onProven: () => heard.push(token) });
    }
    await vi.waitFor(() => expect(heard).toEqual(['forged, but signed', 'forged, but signed']));
  });

  test('where a signature proves tokens, the cluster is asked about no forged one', async () => {
    const forged = new Unauthenticated('CREDENTIALS_INVALID', 'its signature is wrong');
    const { asked, reviews, forge } = underFlood(async (token) => {
      if (token.reveal().startsWith('forged')) {
        throw forged;
      }
      return LEDGER_ACCOUNT;
    });
    const outcomes = await forge(() => '192.0.2.1');
    expect(outcomes.filter((outcome) => outcome.status === 'rejected' && outcome.reason === forged)).toHaveLength(
      FORGED,
    );
    expect(await reviews.accountOf(new Secret(REAL), NOW, { sourceIp: '192.0.2.1' })).toEqual(LEDGER_ACCOUNT);
    expect(asked).toEqual([REAL]);
  });

  test('a caller with many tokens of its own waits for itself', async () => {
    const { reviews, forge } = underFlood(async (token) =>
      token.reveal().startsWith('forged') ? { namespace: 'evil', name: 'twin' } : LEDGER_ACCOUNT,
    );
    void forge(() => '192.0.2.1');
    expect(await reviews.accountOf(new Secret(REAL), NOW, { sourceIp: '192.0.2.1' })).toEqual(LEDGER_ACCOUNT);
  });
});

test('a token that was signed for one account and reviewed as another is refused', async () => {
  const reviews = new TokenReviews(
    'https://cluster.test',
    ['leasehold'],
    { post: async () => ({ status: GOOD }) },
    async () => ({
      namespace: 'payments',
      name: 'other',
    }),
  );
  await expect(reviews.accountOf(new Secret('token'), NOW)).rejects.toMatchObject({ reason: 'CREDENTIALS_INVALID' });
});
