import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { Metadata, Status } from 'nice-grpc';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { makeTempFolder, type TempFolder } from '../servers/temp-folder.ts';
import { type Account, Admin } from '../support/admin.ts';
import { eventually } from '../support/eventually.ts';
import { connectTo, type Leasehold, startLeasehold } from '../support/leasehold.ts';
import { rejectionOf } from '../support/rejection.ts';
import { linesOf } from '../support/secure-site.ts';
import { callersYaml } from '../support/security.ts';
import { type SlowProxy, startSlowProxy } from '../support/slow-proxy.ts';
import { forgeToken, makeTokenIssuer } from '../support/token-issuer.ts';

// Service accounts of a real cluster as callers: known by its TokenReview, or by the keys that it publishes.

const REVIEW_RULES = [{ apiGroups: ['authentication.k8s.io'], resources: ['tokenreviews'], verbs: ['create'] }];

const { url, caPem, adminToken } = inject('controlPlane');
const admin = new Admin({ url, caPem }, adminToken);

let folder: TempFolder;
let namespace: string;
let issuer: string;
const leaseholds: Leasehold[] = [];

/** The token of a pod whose volume projects one for Leasehold. */
const tokenOf = (account: Account, audience = 'leasehold') => admin.mintToken(account, { audiences: [audience] });

/** A token of an account that may ask the cluster whose tokens are. */
async function reviewerToken(): Promise<string> {
  const reviewer = await admin.createServiceAccount(await admin.createNamespace('reviewer'), 'reviewer');
  await admin.bindClusterRole(await admin.createClusterRole(REVIEW_RULES), reviewer);
  await admin.waitUntilMay(reviewer, { verb: 'create', group: 'authentication.k8s.io', resource: 'tokenreviews' });
  return admin.mintToken(reviewer);
}

async function startKnowingBy(how: object): Promise<Leasehold> {
  const path = join(folder.path, `callers-${leaseholds.length}.yaml`);
  const clusters = [{ name: 'prod', issuer, audiences: ['leasehold'], ...how }];
  await writeFile(path, callersYaml({ clusters, groups: { admins: [`serviceaccount:prod/${namespace}/*`] } }));
  const leasehold = await startLeasehold(inject('redisUrl'), { LEASEHOLD_CALLERS: path });
  leaseholds.push(leasehold);
  return leasehold;
}

async function call({ address }: Leasehold, bearer: string): Promise<void> {
  const client = connectTo(address, { bearer });
  try {
    await client.leases.listLeases({});
  } finally {
    client.close();
  }
}

/** More than wait for a TokenReview at the same time, on connections that take 256 calls each. */
const FORGED = 600;

/** How long each piece of a question to the API server is held up while forged tokens come. */
const SLOW_MS = 100;

let proxy: SlowProxy;
let byReview: Leasehold;
let byKeys: Leasehold;
let byBoth: Leasehold;
beforeAll(async () => {
  folder = await makeTempFolder('service-account-callers');
  namespace = await admin.createNamespace('callers');
  const token = await reviewerToken();
  issuer = decodeJwt(token).iss ?? '';
  await writeFile(join(folder.path, 'ca.pem'), caPem);
  await writeFile(join(folder.path, 'token'), token);
  const files = { caFile: 'ca.pem', tokenFile: 'token' };
  proxy = await startSlowProxy(url);
  byReview = await startKnowingBy({ tokenReview: { url: proxy.url, ...files } });
  const jwks = { url: `${url}/openid/v1/jwks`, ...files };
  byKeys = await startKnowingBy({ jwks });
  byBoth = await startKnowingBy({ jwks, tokenReview: { url: proxy.url, ...files } });
});
afterAll(async () => {
  await Promise.all(leaseholds.map((leasehold) => leasehold.stop()));
  proxy.stop();
  await folder.remove();
});

const ways: [string, () => Leasehold][] = [
  ['TokenReview', () => byReview],
  ['keys', () => byKeys],
  ['keys and TokenReview', () => byBoth],
];

test.each(ways)('by %s, a service account calls with its token for Leasehold', async (_name, leasehold) => {
  const account = await admin.createServiceAccount(namespace, `ledger-${randomUUID().slice(0, 8)}`);
  const client = connectTo(leasehold().address, { bearer: await tokenOf(account) });
  await client.leases.listLeases({});
  await rejectionOf(client.leases.getLease({ id: randomUUID() }));
  client.close();
  expect(linesOf(leasehold().logs)).toContainEqual(
    expect.objectContaining({
      principal: {
        kind: 'service-account',
        id: `${namespace}/${account.name}`,
        issuer: 'prod',
        groups: ['admins'],
        groupCount: 1,
      },
    }),
  );
});

test.each(ways)(
  'by %s, a token for the API server, or one that the cluster did not sign, is refused',
  async (_name, of) => {
    const account = await admin.createServiceAccount(namespace, `other-${randomUUID().slice(0, 8)}`);
    const invalid = { code: Status.UNAUTHENTICATED, reason: 'CREDENTIALS_INVALID' };
    expect(await rejectionOf(call(of(), await tokenOf(account, issuer)))).toMatchObject(invalid);
    const claims = { ...decodeJwt(await tokenOf(account)) };
    const forger = makeTokenIssuer(issuer, 'RS256');
    expect(await rejectionOf(call(of(), await forger.token({ claims })))).toMatchObject(invalid);
    expect(await rejectionOf(call(of(), forgeToken({ alg: 'none' }, claims)))).toMatchObject(invalid);
  },
);

test('an account that is gone is refused soon by TokenReview; by keys it counts until its token ends', async () => {
  const account = await admin.createServiceAccount(namespace, 'leaving');
  const token = await tokenOf(account);
  await call(byReview, token);
  await admin.core.deleteNamespacedServiceAccount(account);
  // Ten seconds of ours, and as many of the API server's own cache.
  await eventually(
    async () =>
      expect(await rejectionOf(call(byReview, token))).toMatchObject({
        code: Status.UNAUTHENTICATED,
        reason: 'CREDENTIALS_INVALID',
      }),
    { everyMs: 500 },
  );
  await call(byKeys, token);
});

const impostor = makeTokenIssuer('https://impostor.test', 'RS256');

/** A token with the claims of a real one, but of another key. */
function forged(real: string, index: number, kid = ''): Promise<string> {
  return impostor.token({ claims: { ...decodeJwt(real), jti: `${index}` }, header: { kid } });
}

const withKeyOfCluster = (real: string, index: number) => forged(real, index, decodeProtectedHeader(real).kid);
const withUnknownKey = (real: string, index: number) => forged(real, index, `unknown-${index}`);

/** Invalid, or one too many of those that wait for a review, or until their credentials are verified. */
const REFUSED = [Status.UNAUTHENTICATED, Status.UNAVAILABLE, Status.RESOURCE_EXHAUSTED];

test.each<[string, string, () => Leasehold, typeof withKeyOfCluster]>([
  ['TokenReview', 'a key of the cluster', () => byReview, withKeyOfCluster],
  ['TokenReview', 'unknown keys', () => byReview, withUnknownKey],
  ['keys and TokenReview', 'a key of the cluster', () => byBoth, withKeyOfCluster],
  ['keys and TokenReview', 'unknown keys', () => byBoth, withUnknownKey],
])('by %s, callers are served while forged tokens flood, which name %s', async (_way, _what, of, forge) => {
  const known = await tokenOf(await admin.createServiceAccount(namespace, `known-${randomUUID().slice(0, 8)}`));
  await call(of(), known);
  const news = await Promise.all(
    Array.from({ length: 5 }, async () =>
      tokenOf(await admin.createServiceAccount(namespace, `new-${randomUUID().slice(0, 8)}`)),
    ),
  );
  const tokens = await Promise.all(Array.from({ length: FORGED }, (_, index) => forge(known, index)));
  const forgers = [0, 1, 2].map(() => connectTo(of().address, {}));
  proxy.setDelay(SLOW_MS);
  try {
    const flood = forgers.flatMap(({ leases }, part) =>
      tokens
        .filter((_, index) => index % forgers.length === part)
        .map((token) =>
          rejectionOf(leases.listLeases({}, { metadata: Metadata({ authorization: `Bearer ${token}` }) })),
        ),
    );
    const served = Promise.all([known, ...news].map((token) => call(of(), token)));
    await served.finally(() => proxy.setDelay(0));
    const codes = (await Promise.all(flood)).map(({ code }) => code);
    expect(codes.filter((code) => !REFUSED.includes(code))).toEqual([]);
  } finally {
    proxy.setDelay(0);
    for (const forger of forgers) {
      forger.close();
    }
  }
});
